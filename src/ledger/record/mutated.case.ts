import fc from 'fast-check';

/** Names that reach an object’s prototype where code is careless. */
export const PROTOTYPE_NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toString',
] as const;

type Change =
  | { readonly kind: 'put'; readonly value: unknown }
  | { readonly kind: 'remove' }
  | { readonly kind: 'add'; readonly name: string; readonly value: unknown };

const anyChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), value: fc.jsonValue({ maxDepth: 2 }) }),
  fc.record({
    kind: fc.constant('put' as const),
    value: fc.constantFrom(-1, 0, 1.5, 2 ** 53, 1e308, '', null),
  }),
  fc.record({ kind: fc.constant('remove' as const) }),
  fc.record({
    kind: fc.constant('add' as const),
    name: fc.constantFrom(...PROTOTYPE_NAMES, '0', '-1'),
    value: fc.jsonValue({ maxDepth: 1 }),
  }),
);

/**
 * JSON texts that are nearly a good one: a few values somewhere in it replaced, removed or added. What parsers meet in
 * an attack is of this kind, and random text hardly gets past their first check.
 */
export function mutatedJson(good: unknown): fc.Arbitrary<string> {
  const anyPlace = fc.array(fc.nat(), { minLength: 1, maxLength: 8 });
  return fc.array(fc.tuple(anyPlace, anyChange), { minLength: 1, maxLength: 3 }).map((changes) => {
    let value = good;
    for (const [place, change] of changes) value = changedAt(value, place, change);
    return textOf(value);
  });
}

/** Bytes that are nearly good ones: some changed, cut out, put in, or doubled. */
export function mutatedBytes(good: Uint8Array): fc.Arbitrary<Uint8Array> {
  const place = fc.nat(good.length);
  const edit = fc.oneof(
    fc.tuple(place, fc.nat(3), fc.uint8Array({ maxLength: 3 })),
    fc.tuple(place, fc.nat(200), fc.uint8Array({ maxLength: 40 })),
    fc.tuple(
      place,
      fc.constant(0),
      place.map((at) => good.slice(at, at + 50)),
    ),
  );
  return fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) => {
    let bytes = Buffer.from(good);
    for (const [at, cut, put] of edits) {
      bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
    }
    return new Uint8Array(bytes);
  });
}

function changedAt(value: unknown, place: readonly number[], change: Change): unknown {
  const [here = 0, ...deeper] = place;
  if (typeof value !== 'object' || value === null) return change.kind === 'put' ? change.value : value;
  const entries: readonly (readonly [string, unknown])[] = Object.entries(value);
  if (change.kind === 'add' && (deeper.length === 0 || entries.length === 0)) {
    return rebuilt(value, [...entries, [change.name, change.value]]);
  }
  if (entries.length === 0) return change.kind === 'put' ? change.value : value;
  const at = here % entries.length;
  if (deeper.length === 0 && change.kind === 'remove') return rebuilt(value, entries.toSpliced(at, 1));
  return rebuilt(
    value,
    entries.map(([name, child], i) => {
      if (i !== at) return [name, child];
      return [
        name,
        deeper.length === 0 && change.kind === 'put' ? change.value : changedAt(child, deeper, change),
      ];
    }),
  );
}

function rebuilt(value: object, entries: readonly (readonly [string, unknown])[]): unknown {
  if (Array.isArray(value)) return entries.map(([, child]) => child);
  // Defined rather than assigned: `__proto__` is to stand in the text as a member like any other.
  const object = {};
  for (const [name, child] of entries) {
    Object.defineProperty(object, name, {
      value: child,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return object;
}

function textOf(value: unknown): string {
  return JSON.stringify(value) ?? 'null';
}

/** Runs something, and throws if it changed what every object inherits. */
export async function unpolluted<T>(run: () => T | Promise<T>): Promise<T> {
  const prototypes = [Object.prototype, Array.prototype, Function.prototype, Map.prototype];
  const before = prototypes.map((prototype) => Reflect.ownKeys(prototype).length);
  const result = await run();
  for (const [i, prototype] of prototypes.entries()) {
    if (Reflect.ownKeys(prototype).length !== before[i]) throw new Error('a prototype was changed');
  }
  return result;
}
