// Writes the JSON Schema of every event beside this file: `node src/ledger/record/schema/write.ts`, then format.
import { writeFileSync } from 'node:fs';
import { EVENTS, isEventName } from '../events.ts';
import { recordSchema } from '../schema.ts';

for (const event of Object.keys(EVENTS).filter(isEventName)) {
  const schema = JSON.stringify(recordSchema(event), null, 2);
  writeFileSync(new URL(`./${event}.json`, import.meta.url), `${schema}\n`);
}
