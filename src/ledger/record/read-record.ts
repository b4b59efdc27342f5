import { LedgerError, quoted } from '../errors.ts';
import { EVENTS, type EventName, isEventName } from './events.ts';
import type { AuditRecord } from './record.ts';

/** What is wrong with a value, in the form of Ajv. */
export interface SchemaFault {
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
}

/** A schema that was compiled: whether a value is of it, and if not, first of all why. */
export interface SchemaCheck {
  (value: unknown): boolean;
  readonly errors?: readonly SchemaFault[] | null;
}

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

/** A validator over the compiled schemas of events: those that Ajv makes when asked, or those that it made for a page. */
export function recordReader(checkOf: (event: EventName) => SchemaCheck): RecordValidator {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  const check = (value: unknown): AuditRecord => {
    const event = eventNameOf(value);
    const validate = checkOf(event);
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

function eventNameOf(value: unknown): EventName {
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
