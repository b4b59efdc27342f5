/** Strong Kleene logic: what is unknown may turn out true or false, and a settled answer never changes by learning more. */
export type Truth = 'true' | 'false' | 'unknown';

export function truth(value: boolean): Truth {
  return value ? 'true' : 'false';
}

export function not(value: Truth): Truth {
  return value === 'unknown' ? 'unknown' : truth(value === 'false');
}

/** Some false: false. All true: true. Otherwise unknown. */
export function and(values: readonly Truth[]): Truth {
  if (values.includes('false')) return 'false';
  return values.includes('unknown') ? 'unknown' : 'true';
}

/** Some true: true. All false: false. Otherwise unknown. */
export function or(values: readonly Truth[]): Truth {
  if (values.includes('true')) return 'true';
  return values.includes('unknown') ? 'unknown' : 'false';
}

/** At least `n` true: true. Fewer than `n` can still be true: false. Otherwise unknown. */
export function atLeast(n: number, values: readonly Truth[]): Truth {
  const certain = values.filter((value) => value === 'true').length;
  const possible = values.filter((value) => value !== 'false').length;
  if (certain >= n) return 'true';
  return possible < n ? 'false' : 'unknown';
}
