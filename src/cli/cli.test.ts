import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Ajv from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadLaw } from '../rules/load.ts';
import { allSchemas } from './schemas.ts';
import { comity } from './testdata/run.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'comity-'));
const manifest = (text: string): string => {
  const file = join(folder(), 'comity.yaml');
  writeFileSync(file, text);
  return file;
};
const { law } = loadLaw();
const schemas = allSchemas(law);
const valid = (schema: object, data: unknown): unknown => {
  const validate = new Ajv.default({ strict: false, validateFormats: false }).compile(schema);
  return validate(data) ? [] : validate.errors;
};

const VERBS = [
  'check',
  'explain',
  'where',
  'plan',
  'whatif',
  'next',
  'diff',
  'agreements',
  'crosswalk',
  'log',
  'verify',
  'witness',
  'monitor',
  'init',
  'law',
];

describe('the command', () => {
  test('explains itself', () => {
    const { code, out } = comity(['--help']);
    expect(code).toBe(0);
    for (const verb of VERBS) expect(out).toContain(verb);
  });

  test.each(VERBS)('`%s --help` shows usage, options and an example in 80 columns', (verb) => {
    const { code, out } = comity([verb, '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(/usage: comity/);
    expect(out).toMatch(/examples?:\n {2}comity/);
  });

  test('says its version', () => {
    expect(comity(['--version']).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('suggests what was meant', () => {
    expect(comity(['chek'])).toMatchObject({ code: 2, err: expect.stringContaining('did you mean `check`') });
    expect(comity(['check', '--formt', 'json'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean `format`'),
    });
  });
});

describe('comity where', () => {
  const { code, out } = comity(['where', 'examples']);

  test('prints a line per market of every example within 80 columns and without colour', () => {
    expect(code).toBe(0);
    for (const name of [
      'Credit scorer',
      'CV screener',
      'Image generator',
      'Open-weights legal model',
      'Support chatbot',
      'Voice emotion coach',
    ])
      expect(out).toContain(name);
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(out).not.toContain('\u001b');
  });

  test('asks every market that is encoded', () => {
    const { out: all } = comity(['where', 'examples/support-chatbot', '--market', 'all', '--format', 'json']);
    const { features } = JSON.parse(all) as {
      readonly features: readonly [{ readonly markets: readonly { readonly market: string }[] }];
    };
    expect(features[0].markets.map(({ market }) => market)).toEqual(
      [...new Set([...law.rulebooks.values()].map(({ jurisdiction }) => jurisdiction))].sort(),
    );
  });

  test('names the ruleset and the day', () => {
    expect(out).toMatch(/as of \d{4}-\d{2}-\d{2} · ruleset [0-9a-f]{8}/);
  });
});

describe('comity check', () => {
  test('forbids reading the emotions of staff, with the article and the line of the manifest', () => {
    const { code, out } = comity([
      'check',
      'examples/voice-coach',
      '-m',
      'EU',
      '--as-of',
      '2026-11-25',
      '--format',
      'json',
    ]);
    expect(code).toBe(1);
    const [market] = JSON.parse(out).features[0].markets;
    expect(market.outcome).toBe('not-allowed');
    const finding = market.findings.find((one: { rule: string }) => one.rule === 'eu/ai-act:art-5-1-f');
    expect(finding).toMatchObject({
      cite: expect.stringContaining('Art. 5(1)(f)'),
      truth: 'true',
      from: '2025-02-02',
      state: 'in-force',
    });
    expect(JSON.stringify(finding.proof)).toContain('examples/voice-coach/comity.yaml:');
  });

  test('has an exit code for every threshold', () => {
    const run = (...more: readonly string[]): number | null =>
      comity(['check', 'examples/support-chatbot', '--as-of', '2026-11-25', ...more]).code;
    expect(run('-m', 'EU')).toBe(0);
    expect(run('-m', 'EU', '--fail-on', 'allowed-if')).toBe(1);
    expect(run('-m', 'AQ')).toBe(0);
    expect(run('-m', 'AQ', '--strict')).toBe(3);
    expect(run('-m', 'AQ', '--fail-on', 'cannot-tell')).toBe(1);
    expect(run('-m', 'UE')).toBe(2);
  });

  test('prints JSON that its schema accepts', () => {
    expect(
      valid(schemas.check ?? {}, JSON.parse(comity(['check', 'examples', '--format', 'json']).out)),
    ).toEqual([]);
    expect(
      valid(schemas.check ?? {}, JSON.parse(comity(['where', 'examples', '--format', 'json']).out)),
    ).toEqual([]);
  });

  test('prints SARIF that the official 2.1.0 schema accepts, pointing at lines of manifests', () => {
    const official = JSON.parse(
      readFileSync(new URL('./testdata/sarif-schema-2.1.0.json', import.meta.url), 'utf8'),
    );
    // The official schema is written in draft 4; only the name of its identifier differs in what it uses.
    const { id, $schema: _draft4, ...schema } = official;
    const sarif = JSON.parse(comity(['check', 'examples', '--format', 'sarif']).out);
    expect(valid({ $id: id, ...schema }, sarif)).toEqual([]);
    const emotion = sarif.runs[0].results.find(
      (one: { ruleId: string }) => one.ruleId === 'eu/ai-act:art-5-1-f',
    );
    const { artifactLocation, region } = emotion.locations[0].physicalLocation;
    expect(artifactLocation.uri).toBe('examples/voice-coach/comity.yaml');
    expect(readFileSync(artifactLocation.uri, 'utf8').split('\n')[region.startLine - 1]).toMatch(/:/);
  });

  test('prints Markdown and JUnit', () => {
    expect(comity(['check', 'examples/voice-coach', '--format', 'markdown']).out).toContain(
      '| EU | not-allowed |',
    );
    expect(comity(['check', 'examples/voice-coach', '--format', 'junit']).out).toMatch(
      /<testcase classname="Voice emotion coach" name="EU"><failure/,
    );
  });

  test('asks the question of another day', () => {
    const on = (day: string): string =>
      JSON.parse(
        comity(['check', 'examples/cv-screener', '-m', 'EU', '--as-of', day, '--format', 'json']).out,
      )
        .features[0].markets[0].findings.map((one: { rule: string }) => one.rule)
        .join();
    expect(on('2027-12-01')).not.toContain('annex-iii');
    expect(on('2027-12-02')).toContain('annex-iii');
  });

  test('honours NO_COLOR and prints no colour into a pipe', () => {
    expect(
      comity(['check', 'examples/voice-coach'], { env: { FORCE_COLOR: '', NO_COLOR: '1' } }).out,
    ).not.toContain('\u001b');
  });
});

describe('comity explain', () => {
  test('prints the exception that was overcome', () => {
    const { code, out } = comity([
      'explain',
      'annex-iii.employment',
      'examples/cv-screener',
      '-m',
      'EU',
      '--as-of',
      '2027-12-02',
    ]);
    expect(code).toBe(0);
    expect(out).toContain('holds for CV screener in EU');
    expect(out).toContain('would defeat this');
  });

  test('prints JSON that its schema accepts', () => {
    expect(
      valid(
        schemas.explain ?? {},
        JSON.parse(
          comity(['explain', 'art-5-1-f', 'examples/voice-coach', '-m', 'EU', '--format', 'json']).out,
        ),
      ),
    ).toEqual([]);
  });

  test('suggests the rule that was meant', () => {
    expect(comity(['explain', 'eu/ai-act:art-5-1-ff', 'examples/voice-coach'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean'),
    });
  });
});

describe('options that know a few words', () => {
  test.each([
    ['check', 'examples'],
    ['where', 'examples'],
    ['plan', 'examples'],
    ['law', 'list'],
    ['next', 'examples'],
  ])('refuse others in `comity %s`', (verb, rest) => {
    expect(comity([verb, rest, '--format', 'jsn'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean `json`?'),
    });
  });
});

describe('comity init', () => {
  test('writes a manifest from flags, which check reads', () => {
    const file = join(folder(), 'comity.yaml');
    const made = comity([
      'init',
      file,
      '--yes',
      '--name',
      'Ranker',
      '-m',
      'EU,NO',
      '-f',
      'purpose.uses=recruitment+grading',
      '-f',
      'market.role=provider',
      '-f',
      'system.infers=yes',
    ]);
    expect(made.code).toBe(0);
    expect(readFileSync(file, 'utf8')).toContain('NO: {}');
    expect(comity(['check', file]).code).not.toBe(2);
  });

  test('asks what matters, takes answers, and stops on a dot', () => {
    const file = join(folder(), 'comity.yaml');
    const { code, err } = comity(['init', file], { input: 'Ranker\nEU\n?\n.\n' });
    expect(code).toBe(0);
    expect(err).toMatch(/facts open/);
    expect(readFileSync(file, 'utf8')).toContain('name: Ranker');
  });

  test('never overwrites a file unasked, and writes nothing on a mistake', () => {
    const file = manifest('mine');
    expect(comity(['init', file, '--yes', '--name', 'x', '-m', 'EU']).code).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    const other = join(folder(), 'comity.yaml');
    expect(
      comity(['init', other, '--yes', '--name', 'x', '-m', 'EU', '-f', 'purpose.uses=nonsense']),
    ).toMatchObject({ code: 2, err: expect.stringContaining('nonsense') });
    expect(existsSync(other)).toBe(false);
  });
});

describe('comity law', () => {
  test('lists every instrument in the promised form', () => {
    const rows = JSON.parse(comity(['law', 'list', '--format', 'json']).out);
    expect(valid(schemas['law-list'] ?? {}, rows)).toEqual([]);
    expect(rows.map(({ id }: { id: string }) => id)).toEqual(
      expect.arrayContaining(['eu/ai-act', 'eu/gdpr', 'kr/ai-basic-act', 'us-co/sb26-189']),
    );
  });

  test('shows a rule with its exceptions, and an instrument with what it leaves out', () => {
    expect(comity(['law', 'show', 'eu/ai-act:art-5-1-f']).out).toMatch(/exception +except/);
    expect(comity(['law', 'show', 'kr/ai-basic-act']).out).toMatch(/leaves out/);
  });

  test('runs cases of any directory and names the expectation that failed', () => {
    const directory = folder();
    writeFileSync(
      join(directory, 'x.yaml'),
      'cases:\n  - {id: good, title: t, market: EU, as_of: 2026-11-25, facts: {market.role: [deployer], system.infers: true, market.established: true, technique.uses: [scrapes-faces-untargeted], biometric.uses: [database], market.stage: supplied, system.special_status: []}, expect: {outcome: not-allowed}}\n' +
        '  - {id: bad, title: t, market: EU, as_of: 2026-11-25, facts: {system.infers: true}, expect: {outcome: allowed, fires: ["eu/ai-act:art-5-1-f"]}}\n',
    );
    const { code, out } = comity(['law', 'test', directory]);
    expect(code).toBe(1);
    expect(out).toMatch(/FAIL {2}bad/);
    expect(out).toMatch(/outcome is cannot-tell, expected allowed/);
    expect(out).toMatch(/eu\/ai-act:art-5-1-f should hold; it is unknown/);
    expect(out).toMatch(/2 cases: 1 passed, 1 failed/);
  });

  test('refuses cases about rules that do not exist', () => {
    const file = manifest(
      'cases:\n  - {id: a, title: t, market: EU, as_of: 2026-11-25, facts: {}, expect: {fires: ["eu/ai-act:nope"]}}\n',
    );
    expect(comity(['law', 'test', file])).toMatchObject({
      code: 2,
      err: expect.stringContaining('unknown rule'),
    });
  });
});

test.each([
  ['plan', ['plan', 'examples', '--as-of', '2026-12-03', '--format', 'json']],
  ['whatif', ['whatif', 'examples/voice-coach', '-m', 'EU', '--format', 'json']],
  ['next', ['next', 'examples', '--format', 'json']],
  ['diff', ['diff', 'HEAD', '--format', 'json']],
  ['law-diff', ['law', 'diff', 'law', 'law', '--manifest', 'examples', '--format', 'json']],
  ['law-analyze', ['law', 'analyze', 'us/tcpa', '--format', 'json']],
])('what `%s` prints as JSON is what its schema promises', (name, args) => {
  const { out, err } = comity(args);
  expect(err).toBe('');
  expect(valid(schemas[name] ?? {}, JSON.parse(out))).toEqual([]);
});

describe('two versions of the law', () => {
  test('are compared, and the manifests whose outcome changes are named', () => {
    const law = join(folder(), 'law');
    cpSync('law', law, { recursive: true });
    const file = join(law, 'eu/ai-act/prohibited-practices.yaml');
    const text = readFileSync(file, 'utf8');
    writeFileSync(
      file,
      text.replace(/ {2}- id: art-5-1-f\n[\s\S]*?\n(?= {2}- id: )/, (rule) =>
        rule.replace(/from: 2025-02-02/, 'from: 2030-01-01'),
      ),
    );
    const { code, out } = comity([
      'law',
      'diff',
      'law',
      law,
      '--manifest',
      'examples/voice-coach',
      '--as-of',
      '2026-11-25',
      '--format',
      'json',
    ]);
    expect(code).toBe(1);
    const diff = JSON.parse(out);
    expect(diff.changes).toMatchObject([{ kind: 're-dated', what: 'rule', id: 'eu/ai-act:art-5-1-f' }]);
    expect(diff.outcomes).toMatchObject([{ market: 'EU', before: 'not-allowed' }]);
    expect(comity(['law', 'diff', 'law', 'law']).code).toBe(0);
  });

  test('can be git revisions', () => {
    const repository = folder();
    const git = (...args: readonly string[]): void =>
      void execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
        cwd: repository,
      });
    git('init', '-q');
    cpSync('law', join(repository, 'law'), { recursive: true });
    git('add', '-A');
    git('commit', '-qm', 'law');
    const file = join(repository, 'law/kr/ai-basic-act.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('title: AI Basic Act', 'title: The AI Basic Act'));
    git('commit', '-qam', 'title');
    const { code, out } = comity(['law', 'diff', 'HEAD~1', 'HEAD', '--verbose'], { cwd: repository });
    expect(code).toBe(1);
    expect(out).toMatch(/rulebook +kr\/ai-basic-act \(title\)/);
    expect(comity(['law', 'diff', 'nope', 'HEAD'], { cwd: repository })).toMatchObject({
      code: 2,
      err: expect.stringContaining('neither a directory nor a git revision'),
    });
    expect(comity(['law', 'diff', '--output=x', 'HEAD'], { cwd: repository }).code).toBe(2);
  });
});

describe('comity diff', () => {
  const repository = folder();
  const git = (...args: readonly string[]): void =>
    void execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
      cwd: repository,
    });
  const write = (from: string, to: string): void =>
    writeFileSync(
      join(repository, 'comity.yaml'),
      readFileSync('examples/voice-coach/comity.yaml', 'utf8').replace(from, to),
    );
  git('init', '-q');
  write('emotion.inferred_from: [voice]', 'emotion.inferred_from: []\n  # whose');
  writeFileSync(
    join(repository, 'comity.yaml'),
    readFileSync(join(repository, 'comity.yaml'), 'utf8').replace(/ {2}emotion\.(whose|reason):.*\n/g, ''),
  );
  git('add', '-A');
  git('commit', '-qm', 'before');
  write('x', 'x');
  git('commit', '-qam', 'after');

  test('names the market that a change closes, and the rule', () => {
    const { code, out } = comity(['diff', 'HEAD~1', 'HEAD', '--as-of', '2026-11-25'], { cwd: repository });
    expect(code).toBe(1);
    expect(out).toMatch(/EU +\S+ → not-allowed/);
    expect(out).toContain('[eu/ai-act:art-5-1-f]');
  });

  test('writes one short comment that can be found again', () => {
    const { out } = comity(['diff', 'HEAD~1', '--format', 'github', '--as-of', '2026-11-25'], {
      cwd: repository,
    });
    expect(out).toMatch(/^<!-- comity diff -->\n### Comity/);
    expect(out).toMatch(/\| Voice emotion coach \| EU \| \*\*\S+ → not-allowed\*\*/);
  });

  test('says so when nothing changes', () => {
    expect(comity(['diff', 'HEAD', 'HEAD'], { cwd: repository })).toMatchObject({
      code: 0,
      out: 'nothing changes in any market\n',
    });
  });

  test('refuses a revision that does not exist', () => {
    expect(comity(['diff', 'nope'], { cwd: repository })).toMatchObject({ code: 2 });
  });
});

test('comity law render writes a page a lawyer can read, with exceptions below what they defeat', () => {
  const page = comity(['law', 'render', 'eu/ai-act']).out;
  expect(page).toMatch(/^# Artificial Intelligence Act/);
  expect(page).toMatch(
    /- \*\*Art\. 5\(1\)\(f\)[^\n]*\n(?:(?!\n- ).)*?\n {2}- \*\*Art\. 5\(1\)\(f\), last part/s,
  );
  const html = comity(['law', 'render', 'eu/ai-act', '--format', 'html']).out;
  expect(html).toMatch(/^<!doctype html>/);
  expect(html).toContain('id="eu/ai-act:art-5-1-f"');
});

describe('bad input', () => {
  test.each([
    ['an empty file', '', /file is empty/],
    ['tabs', 'comity: 1\n\tname: x\n', /:2:/],
    ['a billion laughs', 'a: &a [x]\nb: [*a, *a]\n', /aliases/],
    ['ten megabytes', `comity: 1\n# ${'x'.repeat(10_000_000)}\n`, /limit/],
    ['deep nesting', `comity: ${'['.repeat(10_000)}`, /nested/],
    ['no market', 'comity: 1\nname: x\nmarkets: {}\n', /no market/],
  ])('%s is a located error with exit code 2 and no stack trace', (_what, text, message) => {
    const { code, out, err } = comity(['check', manifest(text)]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(message);
    expect(err).toMatch(/comity\.yaml:\d+:\d+: /);
    expect(err).not.toMatch(/\n {4}at /);
  });

  test('paths that do not exist or hold no manifest are named', () => {
    expect(comity(['check', '/no/such/path'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('`/no/such/path`'),
    });
    expect(comity(['check', folder()])).toMatchObject({
      code: 2,
      err: expect.stringContaining('no `comity.yaml`'),
    });
  });

  test.skipIf(process.getuid?.() === 0)('a file that may not be read is named', () => {
    const file = manifest('x');
    chmodSync(file, 0);
    expect(comity(['check', file])).toMatchObject({
      code: 2,
      err: expect.stringContaining('permission denied'),
    });
  });

  test('an impossible day on the command line is named', () => {
    expect(comity(['check', 'examples', '--as-of', '2026-02-30'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('2026-02-30'),
    });
  });

  test('a directory that is no body of law is refused whole', () => {
    const directory = folder();
    mkdirSync(join(directory, 'facts'));
    expect(comity(['law', 'list', '--law', directory])).toMatchObject({
      code: 2,
      err: expect.stringContaining('jurisdictions.yaml'),
    });
  });

  test('random bytes never crash it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const file = join(folder(), 'comity.yaml');
        writeFileSync(file, bytes);
        const { code, err } = comity(['check', file]);
        expect(code).toBe(2);
        expect(err).not.toContain('internal error');
      }),
      { numRuns: 8 },
    );
  });
});

test('the schemas in schema/ are those of the code and the law', () => {
  for (const [name, schema] of Object.entries(schemas)) {
    const file = new URL(`../../schema/${name}.schema.json`, import.meta.url);
    expect(
      JSON.parse(readFileSync(file, 'utf8')),
      `schema/${name}.schema.json is out of date: npm run schemas`,
    ).toEqual(schema);
  }
});
