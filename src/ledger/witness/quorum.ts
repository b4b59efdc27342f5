import { TlogError } from '../../tlog/errors.ts';
import { parseVerifierKey, type VerifierKey } from '../../tlog/note-key.ts';
import { formatPolicy, type Policy, type PolicyWitness, parsePolicy } from '../../tlog/policy.ts';
import { LedgerError, quoted } from '../errors.ts';

/** A witness, where it stands, and who could make it lie. */
export interface QuorumWitness {
  readonly name: string;
  readonly key: VerifierKey;
  readonly url: string | undefined;
  /** Whose courts and police it answers to. */
  readonly country: string;
  /** Company or body that runs it, or the parent that can tell that company what to do. */
  readonly operator: string;
  /** Whose machines it runs on. */
  readonly cloud: string;
}

/**
 * Which witnesses must agree: `required` countries of those that have witnesses. Each country has one vote: its one
 * witness, or a majority of its witnesses.
 */
export interface Quorum {
  readonly required: number;
  /** Countries that may be wholly dishonest, coerced operators included, without a fork going unseen. */
  readonly rogue: number;
  /** Who runs the log; it must not vouch for itself. */
  readonly logOperator: string | undefined;
  readonly witnesses: readonly QuorumWitness[];
}

/** Why a quorum does not give what it promises. */
export interface QuorumProblem {
  readonly kind: 'overlap' | 'unreachable' | 'operator' | 'cloud' | 'self-vouching' | 'doubled';
  readonly message: string;
}

/**
 * Checks that no fork can go unseen.
 *
 * Two heads that contradict each other are both accepted only if each has the votes of `required` countries, of which
 * at least 2K − C are the same. An honest country (one in which no two majorities can meet in dishonest witnesses
 * only) never votes for both, so all of those must be dishonest: 2K − C must be more than can be. The same for every
 * operator and every cloud by itself, in however many countries it is. A witness has one vote, however many keys.
 */
export function quorumProblems(quorum: Quorum): readonly QuorumProblem[] {
  const { required, rogue, logOperator, witnesses } = quorum;
  const countries = byCountry(witnesses);
  const overlap = 2 * required - countries.size;
  const problems: QuorumProblem[] = [];
  if (required > countries.size || required < 1) {
    problems.push({
      kind: 'unreachable',
      message: `${required} countries are required, but ${countries.size} have witnesses`,
    });
  }
  if (overlap < rogue + 1) {
    const needed = Math.ceil((countries.size + rogue + 1) / 2);
    problems.push({
      kind: 'overlap',
      message: `two quorums of ${required} of ${countries.size} countries share ${Math.max(0, overlap)}, but must share ${rogue + 1} to survive ${rogue} dishonest: require ${needed}${needed > countries.size ? ', and add countries' : ''}`,
    });
  }
  // Where quorums share nothing anyway, only who is in several countries is worth a word.
  const harmful = overlap < 1 ? 2 : overlap;
  for (const kind of ['operator', 'cloud'] as const) {
    for (const name of new Set(witnesses.map((witness) => witness[kind]))) {
      const broken = [...countries.values()].filter((members) =>
        breaks(members, members.filter((witness) => witness[kind] === name).length),
      ).length;
      if (broken >= harmful) {
        problems.push({
          kind,
          message: `${kind} ${quoted(name)} alone decides in ${broken} ${broken === 1 ? 'country' : 'countries'}, all that two quorums need to share`,
        });
      }
    }
  }
  for (const witness of witnesses) {
    if (witness.operator === logOperator) {
      problems.push({
        kind: 'self-vouching',
        message: `witness ${quoted(witness.name)} is run by ${quoted(witness.operator)}, which runs the log`,
      });
    }
  }
  for (const [name, same] of Map.groupBy(witnesses, ({ key }) => key.name)) {
    if (same.length > 1) {
      problems.push({
        kind: 'doubled',
        message: `witnesses ${same.map((witness) => quoted(witness.name)).join(' and ')} are one, ${quoted(name)}: list one of its keys`,
      });
    }
  }
  return problems;
}

/** Witnesses of a country that must agree for its vote: the one, or a majority. */
export function majorityOf(members: number): number {
  return Math.floor(members / 2) + 1;
}

/** Whether so many dishonest witnesses suffice for the country to vote for two heads. */
function breaks(members: readonly unknown[], dishonest: number): boolean {
  return dishonest >= 2 * majorityOf(members.length) - members.length;
}

function byCountry(witnesses: readonly QuorumWitness[]): ReadonlyMap<string, readonly QuorumWitness[]> {
  return Map.groupBy(witnesses, ({ country }) => country);
}

/**
 * The policy (C2SP tlog-policy) that says the same to any tool: a group for each country, and one of countries.
 * @throws {LedgerError} `quorum-unsound` with every reason · {TlogError} `malformed-policy`
 */
export function quorumPolicy(quorum: Quorum, logs: readonly VerifierKey[]): Policy {
  const problems = quorumProblems(quorum);
  if (problems.length > 0) {
    throw new LedgerError(
      'quorum-unsound',
      `quorum could be deceived: ${problems.map(({ message }) => message).join('; ')}`,
      'with C countries of which f may be dishonest, require K with 2K − C ≥ f + 1: 3 of 4 for one, 5 of 7 for two',
    );
  }
  return uncheckedPolicy(quorum, logs);
}

/** The policy of a quorum that may be unsound: to show what an unsound one allows. */
export function uncheckedPolicy(quorum: Quorum, logs: readonly VerifierKey[]): Policy {
  const witnesses = quorum.witnesses.map(({ name, key, url }): PolicyWitness => ({ name, key, url }));
  const countries = [...byCountry(quorum.witnesses)];
  const groups = countries.map(([country, members]) => ({
    name: `country-${country}`,
    threshold: majorityOf(members.length),
    members: members.map(({ name }) => name),
  }));
  const all = { name: 'countries', threshold: quorum.required, members: groups.map(({ name }) => name) };
  const policy = {
    logs: logs.map((key) => ({ key, url: undefined })),
    witnesses,
    groups: [...groups, all],
    quorum: 'countries',
  };
  // Written and read once: names that cannot be written, and keys that come twice, are refused here.
  return parsePolicy(formatPolicy(policy));
}

const VERSION = 'comity.quorum/1';
const MOST_WITNESSES = 100;

/**
 * Reads a quorum file: JSON with `v`, `required`, `rogue` (default 1), `log_operator`, and `witnesses`, each with
 * `name`, `key`, `url`, `country` (ISO 3166-1, two letters), `operator`, `cloud`. However a country is spelled, it is one:
 * letters of either size, and codes of states that are part of it now or that it is also called by. Operators and clouds
 * are compared without regard to the size of letters too.
 * @throws {LedgerError} `quorum-invalid`
 */
export function parseQuorum(text: string): Quorum {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid('file is not JSON');
  }
  const { v, required, rogue = 1, log_operator: logOperator, witnesses, ...more } = object(json, 'quorum');
  if (v !== VERSION) throw invalid(`\`v\` is not ${quoted(VERSION)}`);
  noOther(more, 'quorum');
  if (!Array.isArray(witnesses) || witnesses.length === 0 || witnesses.length > MOST_WITNESSES) {
    throw invalid(`\`witnesses\` is not a list of 1 to ${MOST_WITNESSES}`);
  }
  return {
    required: count(required, 'required'),
    rogue: count(rogue, 'rogue'),
    logOperator: logOperator === undefined ? undefined : word(logOperator, 'log_operator').toLowerCase(),
    witnesses: witnesses.map((witness: unknown) => witnessOf(object(witness, 'witness'))),
  };
}

function witnessOf(json: Readonly<Record<string, unknown>>): QuorumWitness {
  const { name, key, url, country, operator, cloud, ...more } = json;
  noOther(more, 'witness');
  try {
    return {
      name: word(name, 'name'),
      key: parseVerifierKey(word(key, 'key')),
      url: url === undefined ? undefined : word(url, 'url'),
      country: countryOf(word(country, 'country')),
      operator: word(operator, 'operator').toLowerCase(),
      cloud: word(cloud, 'cloud').toLowerCase(),
    };
  } catch (error) {
    if (error instanceof TlogError) throw invalid(error.message);
    throw error;
  }
}

/** Regions that have a code of two letters, and no courts or police of their own. */
const NO_COUNTRY = /^(?:EU|EZ|UN|QO|XA|XB|ZZ)$/;

/** The one code of a country, in small letters. */
function countryOf(code: string): string {
  if (/^[a-z]{2}$/i.test(code)) {
    // CLDR knows the codes that a country is also called by, and those of states that became part of it.
    const { region = '' } = new Intl.Locale('und', { region: code });
    const known =
      new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' }).of(region) !== undefined;
    if (known && !NO_COUNTRY.test(region)) return region.toLowerCase();
  }
  throw invalid(`\`country\` ${quoted(code)} is not the code of a country, such as \`de\``);
}

function object(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw invalid(`${what} is not an object`);
}

function noOther(more: Readonly<Record<string, unknown>>, what: string): void {
  const [unknown] = Object.keys(more);
  if (unknown !== undefined) throw invalid(`${what} has an unknown field ${quoted(unknown)}`);
}

function word(value: unknown, field: string): string {
  if (typeof value === 'string' && /^[^\s\p{Cc}]{1,4096}$/u.test(value)) return value;
  throw invalid(`\`${field}\` is not a text without spaces`);
}

function count(value: unknown, field: string): number {
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MOST_WITNESSES) return Number(value);
  throw invalid(`\`${field}\` is not a whole number from 0 to ${MOST_WITNESSES}`);
}

function invalid(message: string): LedgerError {
  return new LedgerError(
    'quorum-invalid',
    `quorum file: ${message}`,
    'see `comity witness --help` for the form of the file',
  );
}
