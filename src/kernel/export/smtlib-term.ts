/** Conjunction and disjunction in SMT-LIB 2, of any number of parts: its own `and` and `or` take two or more. */
export function conjunction(parts: readonly string[]): string {
  return parts.length === 0 ? 'true' : parts.length === 1 ? (parts[0] ?? 'true') : `(and ${parts.join(' ')})`;
}

export function disjunction(parts: readonly string[]): string {
  return parts.length === 0
    ? 'false'
    : parts.length === 1
      ? (parts[0] ?? 'false')
      : `(or ${parts.join(' ')})`;
}
