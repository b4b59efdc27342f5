/** Number of single-character edits (insert, delete, replace, swap of neighbours) between two words. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/**
 * The known name nearest to what somebody typed, or undefined when none is near enough to be meant.
 * Ties go to the name that comes first in `known`.
 *
 * @example nearest('purpose.use', ['purpose.uses', 'data.personal']) // 'purpose.uses'
 */
export function nearest(typed: string, known: Iterable<string>): string | undefined {
  const word = typed.slice(0, 80).toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const name of known) {
    if (Math.abs(name.length - word.length) >= bestDistance) continue;
    const d = distance(word, name.toLowerCase());
    if (d < bestDistance) {
      best = name;
      bestDistance = d;
    }
  }
  return best;
}

/** A help line for an unknown name: `did you mean …`, or the list when it is short. */
export function didYouMean(typed: string, known: readonly string[]): string {
  const near = nearest(typed, known);
  if (near !== undefined) return `did you mean \`${near}\`?`;
  if (known.length === 0) return 'nothing is known by that name here';
  if (known.length <= 12) return `known here: ${known.map((name) => `\`${name}\``).join(', ')}`;
  return `${known.length} names are known here, none of them near`;
}
