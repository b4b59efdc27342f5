import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { EventName } from './events.ts';
import { type RecordValidator, recordReader } from './read-record.ts';
import { recordSchema } from './schema.ts';

export type { RecordValidator };

/** How Ajv compiles schemas of records, here and in the page that verifies. */
export const RECORD_AJV = { strict: true, allErrors: false, ownProperties: true } as const;

/** Compiles a validator. Each event's schema is compiled at its first use, so that a short command starts fast. */
export function recordValidator(): RecordValidator {
  const ajv = new Ajv2020(RECORD_AJV);
  const compiled = new Map<EventName, ValidateFunction>();
  return recordReader((event) => {
    const known = compiled.get(event);
    if (known !== undefined) return known;
    const validate = ajv.compile(recordSchema(event));
    compiled.set(event, validate);
    return validate;
  });
}
