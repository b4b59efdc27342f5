import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { LedgerError, quoted } from './errors.ts';
import { EVENTS, isEventName } from './events.ts';
import type { AuditRecord } from './record.ts';
import { recordSchema } from './schema.ts';

/** Checks values against the schema of the event that they name. */
export interface RecordValidator {
  /**
   * Narrows a value to a record.
   * @throws {LedgerError} `record-invalid`, naming the first field that is wrong
   */
  check(value: unknown): AuditRecord;
  /**
   * Parses the bytes of one entry. Tolerates any JSON layout: what is hashed are the bytes, not the values.
   * @throws {LedgerError} `record-invalid`
   */
  parse(bytes: Uint8Array): AuditRecord;
}

/** Compiles a validator. Each event's schema is compiled at its first use, so that a short command starts fast. */
export function recordValidator(): RecordValidator {
  const ajv = new Ajv2020({ strict: true, allErrors: false, ownProperties: true });
  const compiled = new Map<string, ValidateFunction>();
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  const check = (value: unknown): AuditRecord => {
    const event = eventNameOf(value);
    let validate = compiled.get(event);
    if (validate === undefined) {
      validate = ajv.compile(recordSchema(event));
      compiled.set(event, validate);
    }
    if (validate(value)) return value as AuditRecord;
    const [error] = validate.errors ?? [];
    const where = error?.instancePath === '' || error === undefined ? 'record' : error.instancePath;
    const extra = error?.params.additionalProperty;
    const what =
      typeof extra === 'string' ? `unknown field ${quoted(extra)}` : (error?.message ?? 'is not valid');
    throw new LedgerError(
      'record-invalid',
      `${quoted(event)} record is not valid at ${quoted(where)}: ${what}`,
      'compare the record with the schema of its event; text about people goes into sealed fields',
    );
  };

  return {
    check,
    parse(bytes) {
      let value: unknown;
      try {
        value = JSON.parse(decoder.decode(bytes));
      } catch (cause) {
        throw new LedgerError(
          'record-invalid',
          'record is not UTF-8 JSON',
          'send one JSON object for each record',
          { cause },
        );
      }
      return check(value);
    },
  };
}

function eventNameOf(value: unknown): keyof typeof EVENTS {
  if (typeof value === 'object' && value !== null && 'event_name' in value) {
    const name = value.event_name;
    if (typeof name === 'string' && isEventName(name)) return name;
    throw new LedgerError(
      'record-invalid',
      `unknown event ${quoted(String(name))}`,
      `use one of: ${Object.keys(EVENTS).join(', ')}`,
    );
  }
  throw new LedgerError(
    'record-invalid',
    'record is not an object with an `event_name`',
    'send one JSON object for each record',
  );
}
