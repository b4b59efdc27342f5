import type { Day } from './date.ts';
import { parseDay } from './date.ts';
import type { Position, Problem, ProblemCode } from './problem.ts';
import type { MapEntry, MapNode, SourceNode } from './source.ts';
import { didYouMean } from './suggest.ts';

/**
 * Reads typed values out of located YAML and collects every mistake instead of stopping at the first.
 * A getter that fails reports the problem and returns undefined.
 */
export class Reader {
  readonly problems: Problem[] = [];

  report(code: ProblemCode, message: string, at: Position, help?: string): undefined {
    this.problems.push({ code, message, at, ...(help === undefined ? {} : { help }) });
    return undefined;
  }

  /** A map with no other keys than the ones given. */
  map(node: SourceNode, what: string, keys: readonly string[]): MapNode | undefined {
    if (node.kind !== 'map')
      return this.report('wrong-type', `${what} must be a map of keys and values`, node.at);
    for (const entry of node.entries) {
      if (!keys.includes(entry.key)) {
        this.report(
          'unknown-key',
          `unknown key \`${entry.key}\` in ${what}`,
          entry.keyAt,
          didYouMean(entry.key, keys),
        );
      }
    }
    return node;
  }

  entry(map: MapNode, key: string): MapEntry | undefined {
    return map.entries.find((entry) => entry.key === key);
  }

  need(map: MapNode, key: string, what: string): SourceNode | undefined {
    const entry = this.entry(map, key);
    return entry?.value ?? this.report('missing', `${what} needs \`${key}\``, map.at, `add \`${key}:\``);
  }

  text(node: SourceNode | undefined, what: string): string | undefined {
    if (node === undefined) return undefined;
    if (node.kind === 'scalar' && typeof node.value === 'string' && node.value.trim() !== '')
      return node.value.trim();
    const plain = node.kind === 'scalar' && node.value !== null && node.value !== '';
    return this.report(
      'wrong-type',
      `${what} must be text`,
      node.at,
      plain ? `quote it: "${node.text}"` : undefined,
    );
  }

  flag(node: SourceNode | undefined, what: string): boolean | undefined {
    if (node === undefined) return undefined;
    if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value;
    return this.report('wrong-type', `${what} must be true or false`, node.at);
  }

  integer(node: SourceNode | undefined, what: string): number | undefined {
    if (node === undefined) return undefined;
    if (node.kind === 'scalar' && typeof node.value === 'number' && Number.isSafeInteger(node.value))
      return node.value;
    return this.report('wrong-type', `${what} must be a whole number`, node.at);
  }

  day(node: SourceNode | undefined, what: string): Day | undefined {
    if (node === undefined) return undefined;
    const day = node.kind === 'scalar' ? parseDay(node.text) : undefined;
    if (day !== undefined) return day;
    const shown = node.kind === 'scalar' ? ` \`${node.text}\`` : '';
    return this.report(
      'bad-date',
      `${what}${shown} is not a day of the calendar`,
      node.at,
      'write YYYY-MM-DD, for example 2026-11-23',
    );
  }

  oneOf<const T extends string>(
    node: SourceNode | undefined,
    what: string,
    allowed: readonly T[],
  ): T | undefined {
    if (node === undefined) return undefined;
    const value = node.kind === 'scalar' ? node.text : undefined;
    const found = allowed.find((word) => word === value);
    if (found !== undefined) return found;
    return this.report(
      'unknown-value',
      `${what} \`${value ?? 'list or map'}\` is not one of those known`,
      node.at,
      didYouMean(value ?? '', allowed),
    );
  }

  list(node: SourceNode | undefined, what: string): readonly SourceNode[] {
    if (node === undefined) return [];
    if (node.kind === 'list') return node.items;
    this.report(
      'wrong-type',
      `${what} must be a list`,
      node.at,
      'write [one, two], or one `- item` per line',
    );
    return [];
  }

  texts(node: SourceNode | undefined, what: string): readonly string[] {
    return this.list(node, what).flatMap((item) => this.text(item, `an item of ${what}`) ?? []);
  }
}
