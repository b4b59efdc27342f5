import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parseDay } from '../facts/date.ts';
import { parseSource, toPlain } from '../facts/source.ts';
import { agreementsSchema } from '../rules/agreement-schema.ts';
import { crosswalksSchema } from '../rules/crosswalk-schema.ts';
import { frameworkSchema } from '../rules/framework-schema.ts';
import { BUNDLED_LAW, loadLaw } from '../rules/load.ts';
import {
  conflictsSchema,
  controlsSchema,
  factsSchema,
  jurisdictionsSchema,
  rulebookSchema,
} from '../rules/schema.ts';
import { readCases, runCase } from './case.ts';
import { lintLaw } from './lint.ts';
import { casesSchema } from './schema.ts';

const { law } = loadLaw();
const yaml = (folder: string): readonly string[] =>
  readdirSync(join(BUNDLED_LAW, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(folder, name))
    .sort();
const parse = (file: string): ReturnType<typeof parseSource> =>
  parseSource(readFileSync(join(BUNDLED_LAW, file), 'utf8'), `law/${file}`);

const results = readCases(yaml('cases').map(parse), law).map((one) => runCase(law, one));

describe('the law of the world', () => {
  test('passes every worked case', () => {
    expect(
      results
        .filter(({ failures }) => failures.length > 0)
        .map(({ case: { id }, failures }) => `${id}: ${failures.join('; ')}`),
    ).toEqual([]);
    expect(results.length).toBeGreaterThan(100);
  });

  test('is clean under lint, on the day of its last status', () => {
    const latest =
      [...law.rulebooks.values()]
        .map(({ status }) => status.asOf)
        .sort()
        .at(-1) ?? parseDay('2026-11-23');
    if (latest === undefined) throw new RangeError('no rulebook');
    expect(
      lintLaw(law, results, latest)
        .filter(({ severity }) => severity === 'warning')
        .map(({ message }) => message),
    ).toEqual([]);
  });

  test('is valid under the schemas that editors use', () => {
    const ajv = new Ajv.default({ strict: false, allErrors: true });
    const rulebooks = ajv.compile(rulebookSchema(law));
    const schemas: Readonly<Record<string, typeof rulebooks>> = {
      'jurisdictions.yaml': ajv.compile(jurisdictionsSchema()),
      facts: ajv.compile(factsSchema(law)),
      controls: ajv.compile(controlsSchema()),
      conflicts: ajv.compile(conflictsSchema(law)),
      agreements: ajv.compile(agreementsSchema(law)),
      frameworks: ajv.compile(frameworkSchema(law)),
      crosswalks: ajv.compile(crosswalksSchema(law)),
      cases: ajv.compile(casesSchema(law)),
    };
    const invalid = yaml('.').flatMap((file) => {
      const validate = schemas[file.split('/')[0] ?? ''] ?? rulebooks;
      return validate(toPlain(parse(file)))
        ? []
        : [`${file}: ${JSON.stringify(validate.errors?.slice(0, 2))}`];
    });
    expect(invalid).toEqual([]);
  });

  test('cites an address for every rule', () => {
    expect(
      [...law.rules.values()].filter(({ source }) => !/^https?:\/\//.test(source.url)).map(({ id }) => id),
    ).toEqual([]);
  });
});
