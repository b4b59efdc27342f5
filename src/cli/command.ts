import type { ParseArgsOptionsConfig } from 'node:util';
import { parseArgs } from 'node:util';
import { InputError, type ProblemCode } from '../facts/problem.ts';
import { didYouMean } from '../facts/suggest.ts';

/** The exit codes are a contract. */
export const EXIT = { clean: 0, findings: 1, badInput: 2, cannotTell: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An option of a command, with what `--help` says of it. */
export interface Option {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly short?: string;
  /** Shown after the name in the help: `--as-of DATE`. Words with bars between them, `table|json`, are all there is. */
  readonly value?: string;
  readonly help: string;
}

export interface Arguments {
  readonly positionals: readonly string[];
  /** The last value given. */
  text(name: string): string | undefined;
  /** All values given; lists may also be separated by commas. */
  texts(name: string): readonly string[];
  flag(name: string): boolean;
}

/** One verb of the command line: one file each. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
  readonly details?: string;
  readonly options: Readonly<Record<string, Option>>;
  readonly examples: readonly string[];
  run(args: Arguments, io: Io): Promise<ExitCode> | ExitCode;
}

/** Where a command writes: the answer to `out`, everything else to `err`. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Shows how far long work has come, on a terminal only; an empty text clears the line. */
  readonly progress: (text: string) => void;
  /** Colour may be used on `out`. */
  readonly colour: boolean;
  readonly columns: number;
}

const COMMON: Readonly<Record<string, Option>> = {
  help: { type: 'boolean', short: 'h', help: 'show this help' },
  debug: { type: 'boolean', help: 'show stack traces of internal errors' },
};

/** A user's mistake on the command line. */
export function mistake(message: string, help: string, code: ProblemCode = 'usage'): InputError {
  return new InputError([{ code, message, help }]);
}

/** One of a few words. */
export function choice<const T extends string>(
  args: Arguments,
  name: string,
  allowed: readonly T[],
  fallback: T,
): T {
  const text = args.text(name);
  if (text === undefined) return fallback;
  const found = allowed.find((word) => word === text);
  if (found !== undefined) return found;
  throw mistake(`\`--${name} ${text}\` is not known`, didYouMean(text, allowed));
}

/**
 * The verb of a command that has several.
 *
 * @param question what to ask when none is given.
 * @throws InputError for none and for an unknown one, with the nearest.
 */
export function verbOf<T>(
  verbs: Readonly<Record<string, T>>,
  verb: string,
  command: string,
  question: string,
): T {
  const known = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (known !== undefined) return known;
  throw mistake(
    verb === '' ? question : `unknown verb \`${command} ${verb}\``,
    didYouMean(verb, Object.keys(verbs)),
  );
}

/**
 * Parses the arguments of a command.
 *
 * @throws InputError for unknown options, missing values, and words that an option does not know.
 */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const options = { ...COMMON, ...command.options };
  const config: ParseArgsOptionsConfig = Object.fromEntries(
    Object.entries(options).map(([name, { type, multiple, short }]) => [
      name,
      { type, multiple: multiple ?? false, ...(short === undefined ? {} : { short }) },
    ]),
  );
  const args = parsed(command, argv, options, config);
  for (const [name, { value }] of Object.entries(options))
    if (value?.includes('|')) choice(args, name, value.split('|'), '');
  return args;
}

function parsed(
  command: Command,
  argv: readonly string[],
  options: Command['options'],
  config: ParseArgsOptionsConfig,
): Arguments {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options: config, allowPositionals: true });
    const texts = (name: string): readonly string[] =>
      [values[name] ?? []]
        .flat()
        .flatMap((value) => String(value).split(','))
        .filter((value) => value !== '');
    return {
      positionals,
      text: (name) => [values[name] ?? []].flat().map(String).at(-1),
      texts,
      flag: (name) => values[name] === true,
    };
  } catch (error) {
    const unknown = /Unknown option '--?([^']*)'/.exec((error as Error).message)?.[1];
    const message =
      unknown === undefined
        ? ((error as Error).message.split('.')[0] ?? '').toLowerCase()
        : `unknown option \`--${unknown}\``;
    const help =
      unknown === undefined
        ? `\`comity ${command.name} --help\` shows the options`
        : didYouMean(unknown, Object.keys(options));
    throw new InputError([{ code: 'usage', message, help }]);
  }
}

/** The help of one command: usage, options, an example. */
export function helpOf(command: Command): string {
  const rows = Object.entries({ ...command.options, ...COMMON }).map(([name, option]) => {
    const value = option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : '';
    return [
      `  ${option.short === undefined ? '' : `-${option.short}, `}--${name}${value}`,
      option.help,
    ] as const;
  });
  const width = Math.min(28, Math.max(...rows.map(([left]) => left.length)) + 2);
  const lines = rows.map(([left, help]) =>
    left.length < width ? left.padEnd(width) + help : `${left}\n${' '.repeat(width)}${help}`,
  );
  return [
    `${command.summary}\n`,
    `usage: comity ${command.usage}\n`,
    ...(command.details === undefined ? [] : [`${command.details}\n`]),
    'options:',
    ...lines,
    '',
    command.examples.length === 1 ? 'example:' : 'examples:',
    ...command.examples.map((example) => `  ${example}`),
    '',
  ].join('\n');
}
