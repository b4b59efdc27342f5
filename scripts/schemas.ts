// Writes the JSON Schemas of `schema/` from the law and the vocabulary. `npm run schemas`; a test keeps them current.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { allSchemas } from '../src/cli/schemas.ts';
import { loadLaw } from '../src/rules/load.ts';

const directory = fileURLToPath(new URL('../schema', import.meta.url));
mkdirSync(directory, { recursive: true });
for (const [name, schema] of Object.entries(allSchemas(loadLaw().law))) {
  writeFileSync(`${directory}/${name}.schema.json`, `${JSON.stringify(schema, undefined, 1)}\n`);
}
