import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Environment } from '@marcbachmann/cel-js';
import { loadPolicy } from '@open-policy-agent/opa-wasm';
import type { Truth } from '../../../facts/truth.ts';
import { Interpreter } from '../../../rules/interpreter.ts';
import type { SolverSession } from '../../../solve/session.ts';
import { cedarPolicies, cedarRequest } from '../cedar.ts';
import { celFile } from '../cel.ts';
import type { Exported } from '../exported.ts';
import type { EngineInput, Subject } from '../input.ts';
import { inputOf } from '../input.ts';
import { ENTRYPOINT, rego } from '../rego.ts';
import { smtlib, symbolOf } from '../smtlib.ts';

/** The engine of a target with exported rules in it. */
export interface Engine {
  /** Rules that come out otherwise than the reference interpreter has them. */
  differences(subject: Subject): Promise<readonly string[]>;
}

/** What the reference interpreter says of every exported rule. */
export function expected({ law, moment, rules }: Exported, { knowledge }: Subject): ReadonlyMap<string, Truth> {
  const interpreter = new Interpreter({ law, moment, knowledge });
  return new Map(rules.map(({ rule }) => [rule.id, interpreter.holds(rule)]));
}

/** The input of a subject, asking for the rules of all places: their answers are compared whatever the market is. */
function everywhere(exported: Exported, subject: Subject): EngineInput {
  const input = inputOf(exported, subject);
  return { ...input, places: [...new Set([...input.places, ...exported.law.jurisdictions.byId.keys()])] };
}

interface Answer {
  readonly definitely: ReadonlySet<string>;
  readonly possibly: ReadonlySet<string>;
}

function differing(exported: Exported, subject: Subject, { definitely, possibly }: Answer): readonly string[] {
  return [...expected(exported, subject)].flatMap(([id, truth]) => {
    const found = definitely.has(id) ? (possibly.has(id) ? 'true' : 'contradictory') : possibly.has(id) ? 'unknown' : 'false';
    return found === truth ? [] : [`${id} is ${truth}, not ${found}`];
  });
}

/** The part of cedar-wasm that is used. */
export interface CedarWasm {
  preparsePolicySet(name: string, policies: { readonly staticPolicies: Readonly<Record<string, string>> }): { readonly type: string };
  statefulIsAuthorized(call: unknown): {
    readonly type: string;
    readonly response?: { readonly decision: string; readonly diagnostics: { readonly reason: readonly string[]; readonly errors: readonly unknown[] } };
  };
  policySetTextToParts(text: string): { readonly type: string; readonly policies?: readonly string[] };
  validate(call: unknown): { readonly type: string; readonly validationErrors?: readonly unknown[]; readonly validationWarnings?: readonly unknown[]; readonly errors?: unknown };
}

export function cedarWasm(): CedarWasm {
  return createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs') as CedarWasm;
}

/** What Cedar's determining policies say. */
export function cedarAnswer(reasons: readonly string[]): Answer {
  const on = (rail: string): ReadonlySet<string> => new Set(reasons.filter((id) => id.startsWith(`${rail} `)).map((id) => id.slice(rail.length + 1)));
  return { definitely: on('definitely'), possibly: on('possibly') };
}

let sets = 0;

/** Decides one action of Cedar on what is known of a subject. */
export function cedarDecider(exported: Exported): (input: EngineInput, action: 'evaluate' | 'release') => { readonly decision: string; readonly reasons: readonly string[] } {
  const cedar = cedarWasm();
  const preparsedPolicySetId = `set ${++sets}`;
  const parsed = cedar.preparsePolicySet(preparsedPolicySetId, { staticPolicies: cedarPolicies(exported) });
  if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed).slice(0, 2000));
  return (input, action) => {
    const request = cedarRequest(input);
    const answer = cedar.statefulIsAuthorized({ ...request, action: { type: 'Comity::Action', id: action }, preparsedPolicySetId });
    if (answer.response === undefined || answer.response.diagnostics.errors.length > 0) throw new Error(JSON.stringify(answer).slice(0, 2000));
    return { decision: answer.response.decision, reasons: answer.response.diagnostics.reason };
  };
}

export function cedarEngine(exported: Exported): Engine {
  const decide = cedarDecider(exported);
  return {
    differences: async (subject) => differing(exported, subject, cedarAnswer(decide(everywhere(exported, subject), 'evaluate').reasons)),
  };
}

export function celEvaluator(exported: Exported): (input: EngineInput) => Answer {
  const { variables, rules } = celFile(exported);
  const environment = new Environment({ limits: { maxListElements: 10_000 } }).registerVariable('facts', 'map<string, dyn>').registerVariable('variables', 'map<string, bool>');
  const parsed = variables.map(({ name, expression }) => [name, environment.parse(expression)] as const);
  const answers = rules.map(({ id, place, definitely, possibly }) => ({ id, place, definitely: environment.parse(definitely), possibly: environment.parse(possibly) }));
  return (input) => {
    const values: Record<string, boolean> = {};
    const context = { facts: input.facts, variables: values };
    for (const [name, evaluate] of parsed) values[name] = evaluate(context) === true;
    const own = answers.filter(({ place }) => input.places.includes(place));
    return {
      definitely: new Set(own.filter(({ definitely }) => definitely(context) === true).map(({ id }) => id)),
      possibly: new Set(own.filter(({ possibly }) => possibly(context) === true).map(({ id }) => id)),
    };
  };
}

export function celEngine(exported: Exported): Engine {
  const evaluate = celEvaluator(exported);
  return {
    differences: async (subject) => differing(exported, subject, evaluate(everywhere(exported, subject))),
  };
}

/** The command `opa`, from the environment variable `OPA` or the path; undefined where there is none. */
export function opaCommand(): string | undefined {
  const command = process.env.OPA ?? 'opa';
  try {
    execFileSync(command, ['version'], { stdio: 'ignore' });
    return command;
  } catch {
    return undefined;
  }
}

/** Compiles exported rules to WebAssembly with OPA's own compiler. */
export function opaBuild(command: string, text: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'comity-rego-'));
  try {
    const file = join(folder, rego.file);
    writeFileSync(file, text);
    execFileSync(command, ['build', '-t', 'wasm', '-e', ENTRYPOINT, '-o', join(folder, 'bundle.tar.gz'), file], { stdio: ['ignore', 'pipe', 'pipe'] });
    execFileSync('tar', ['-xzf', join(folder, 'bundle.tar.gz'), '-C', folder, '/policy.wasm'], { stdio: 'ignore' });
    return readFileSync(join(folder, 'policy.wasm'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface RegoAnswer {
  readonly definitely: readonly string[];
  readonly possibly: readonly string[];
  readonly unknown: readonly string[];
  readonly not_allowed: readonly string[];
  readonly not_allowed_possibly: readonly string[];
  readonly ruled: boolean;
}

/** Evaluates rules compiled by OPA. */
export async function opaEvaluator(wasm: Buffer): Promise<(input: EngineInput) => RegoAnswer> {
  // Memory in pages of 64 KiB: large rule sets outgrow the default in one evaluation.
  const policy = await loadPolicy(wasm, { initial: 64, maximum: 16_384 });
  return (input) => {
    const [found] = policy.evaluate(input) as readonly { readonly result: RegoAnswer }[];
    if (found === undefined) throw new Error('no answer');
    return found.result;
  };
}

export async function opaEngine(exported: Exported, wasm: Buffer): Promise<Engine> {
  const evaluate = await opaEvaluator(wasm);
  return {
    differences: async (subject) => {
      const { definitely, possibly, unknown } = evaluate(everywhere(exported, subject));
      const told = new Set(unknown);
      const wrong = possibly.filter((id) => told.has(id) === definitely.includes(id));
      return [...differing(exported, subject, { definitely: new Set(definitely), possibly: new Set(possibly) }), ...wrong.map((id) => `${id} is told unknown wrongly`)];
    },
  };
}

/** The native engine, once for all subjects: it parses the rules each time it starts. */
export function opaNative(command: string, exported: Exported, subjects: readonly Subject[]): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'comity-rego-'));
  try {
    writeFileSync(join(folder, rego.file), rego.render(exported));
    writeFileSync(join(folder, 'inputs.json'), JSON.stringify({ inputs: subjects.map((subject) => everywhere(exported, subject)) }));
    const query = '[answer | some one in data.inputs; answer := data.comity.answer with input as one]';
    const out = execFileSync(command, ['eval', '--format', 'raw', '-d', folder, query], { maxBuffer: 1 << 28, encoding: 'utf8' });
    const answers = JSON.parse(out) as readonly RegoAnswer[];
    if (answers.length !== subjects.length) return [`${answers.length} answers to ${subjects.length} questions`];
    return subjects.flatMap((subject, i) => {
      const answer = answers[i];
      return differing(exported, subject, { definitely: new Set(answer?.definitely), possibly: new Set(answer?.possibly) });
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A solver: what is known is asserted, and then no rule may come out otherwise. */
export async function smtEngine(session: SolverSession, exported: Exported): Promise<Engine> {
  await session.reset();
  await session.assert(smtlib.render(exported));
  return {
    differences: async (subject) => {
      const pins = smtlib
        .input(exported, subject)
        .split('\n')
        .flatMap((line) => /^\(assert (.*)\)$/.exec(line)?.[1] ?? []);
      const possible = await session.check(pins, [], 120_000);
      if (possible.sat !== 'sat') return [`the facts are ${possible.sat}`];
      const claims = [...expected(exported, subject)].map(([id, truth]) => ({
        id,
        claim: `(and (= |${symbolOf('rule', id, 'definitely')}| ${truth === 'true'}) (= |${symbolOf('rule', id, 'possibly')}| ${truth !== 'false'}))`,
      }));
      const some = await session.check([...pins, `(not (and true ${claims.map(({ claim }) => claim).join(' ')}))`], [], 120_000);
      if (some.sat === 'unsat') return [];
      const found: string[] = [];
      for (const { id, claim } of claims) if ((await session.check([...pins, `(not ${claim})`], [], 120_000)).sat !== 'unsat') found.push(id);
      return found;
    },
  };
}
