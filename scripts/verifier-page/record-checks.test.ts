import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EVENTS, isEventName } from '../../src/ledger/record/events.ts';
import { recordReader, type SchemaCheck } from '../../src/ledger/record/read-record.ts';
import { recordSchema } from '../../src/ledger/record/schema.ts';
import { recordValidator } from '../../src/ledger/record/validate.ts';
import { recordChecks } from './record-checks.ts';

const events = Object.keys(EVENTS).filter(isEventName);

/** The generated module, as the bundler makes it part of the page. */
function generated(): (event: string) => SchemaCheck {
  const { code, exports } = recordChecks();
  const found: Record<string, SchemaCheck> = {};
  const body = code.replace(/export const (\w+) = /g, 'found.$1 = ');
  compileFunction(body, ['require', 'found'])(createRequire(import.meta.url), found);
  return (event) => {
    const check = found[exports.get(event) ?? ''];
    if (check === undefined) throw new Error(`no check for ${event}`);
    return check;
  };
}

/** Values that are right for one field or another, and for none. */
const anyValue = fc.oneof(
  fc.constantFrom<unknown>(
    'token-1',
    'DE',
    'de-DE',
    'P6M',
    'P',
    '2026-11-25T12:00:00Z',
    '2026-13-25T12:00:00Z',
    `sha256:${'a'.repeat(64)}`,
    '01890a5d-ac96-774b-bcce-b302099a8057',
    'A'.repeat(43),
    'A'.repeat(22),
    'f'.repeat(16),
    'f'.repeat(32),
    'x'.repeat(300),
    '😀'.repeat(200),
    'https://opentelemetry.io/schemas/1.37.0',
    'comity.audit/1',
    'succeeded',
    '',
    0,
    1,
    -1,
    1.5,
    2 ** 53,
    true,
    false,
    null,
    [],
    {},
    ['DE', 'DE'],
    ['DE', 'KR'],
    ['A'.repeat(43)],
    [{ id: '01890a5d-ac96-774b-bcce-b302099a8057', rel: 'corrects' }],
    { boot: '01890a5d-ac96-774b-bcce-b302099a8057', id: 'p', seq: 0 },
    { class: 'logs', hold: false, min: 'P6M' },
    { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
  ),
  fc.jsonValue(),
);

/** Something with the fields of an event: some right, some wrong, some missing, some that nobody defined. */
const anyRecord = fc.constantFrom(...events).chain((event) => {
  const { attributes, ...fields } = recordSchema(event).properties as Record<string, { properties?: object }>;
  const some = (names: readonly string[]) =>
    fc
      .tuple(
        fc.dictionary(fc.constantFrom(...names), anyValue),
        fc.dictionary(fc.constantFrom('note', '__proto__', 'constructor'), anyValue, { maxKeys: 1 }),
      )
      .map(([known, unknown]) => ({ ...known, ...unknown }));
  return fc
    .record({ own: some(Object.keys(attributes?.properties ?? {})), rest: some(Object.keys(fields)) })
    .map(({ own, rest }): unknown => ({ ...rest, attributes: own, event_name: event }));
});

/** A record in which everything is right but for at most a few fields. */
const nearlyRight = fc
  .record({
    event: fc.constantFrom(...events),
    changes: fc.array(
      fc.tuple(
        fc.constantFrom(
          'id',
          'jur',
          'producer',
          'resource',
          'retain',
          'time',
          'v',
          'attributes',
          'sd',
          'about',
        ),
        fc.option(anyValue),
      ),
      { maxLength: 2 },
    ),
  })
  .map(({ event, changes }) => {
    const record: Record<string, unknown> = {
      attributes: {},
      event_name: event,
      id: '01890a5d-ac96-774b-bcce-b302099a8057',
      jur: ['DE'],
      producer: { boot: '01890a5d-ac96-774b-bcce-b302099a8057', id: 'p', seq: 0 },
      resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
      retain: { class: 'logs', hold: false, min: 'P6M' },
      schema_url: 'https://opentelemetry.io/schemas/1.37.0',
      time: '2026-11-25T12:00:00Z',
      v: 'comity.audit/1',
    };
    for (const [field, value] of changes) {
      if (value === null) delete record[field];
      else record[field] = value;
    }
    return record;
  });

test('the schemas in the page say of any value what the command says, word for word', () => {
  const page = recordReader(generated());
  const command = recordValidator();
  const said = (check: (bytes: Uint8Array) => unknown, value: unknown): string => {
    try {
      check(Buffer.from(JSON.stringify(value)));
      return 'valid';
    } catch (error) {
      return String(error);
    }
  };
  const answers = new Set<string>();
  fc.assert(
    fc.property(fc.oneof(anyRecord, nearlyRight, anyValue), (value) => {
      const answer = said(command.parse, value);
      expect(said(page.parse, value)).toBe(answer);
      answers.add(answer.replace(/`[^`]*`/g, ''));
    }),
    { numRuns: 2000 },
  );
  // Of many kinds, so that the comparison means something.
  expect(answers.size).toBeGreaterThan(8);
});
