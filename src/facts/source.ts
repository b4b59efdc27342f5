import type { Document, Node } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Position, Problem, ProblemCode } from './problem.ts';
import { InputError } from './problem.ts';

/** YAML with the place of every value. The text of a scalar is kept, so that numbers never become floats. */
export type SourceNode = ScalarNode | ListNode | MapNode;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As written in the file, unquoted. */
  readonly text: string;
  readonly quoted: boolean;
  readonly at: Position;
}

export interface ListNode {
  readonly kind: 'list';
  readonly items: readonly SourceNode[];
  readonly at: Position;
}

export interface MapEntry {
  readonly key: string;
  readonly keyAt: Position;
  readonly value: SourceNode;
}

export interface MapNode {
  readonly kind: 'map';
  readonly entries: readonly MapEntry[];
  readonly at: Position;
}

const CORE_TAGS = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'seq', 'map'].map((name) => `tag:yaml.org,2002:${name}`),
);
const MAX_BYTES = 1_000_000;
const MAX_DEPTH = 40;

/**
 * Parses one YAML 1.2 document (core schema: `NO` is a string, not false). Aliases, tags, merge keys, duplicate
 * keys and several documents in one file are errors, as are files of more than a megabyte and more than
 * forty levels of nesting.
 *
 * @throws InputError with every syntax error, located.
 */
export function parseSource(text: string, file: string): SourceNode {
  const start: Position = { file, line: 1, column: 1 };
  if (text.length > MAX_BYTES) {
    throw new InputError([
      {
        code: 'too-large',
        message: `file has ${text.length} characters; the limit is ${MAX_BYTES}`,
        at: start,
        help: 'a manifest or rulebook is a few hundred lines; split a longer one',
      },
    ]);
  }
  const deep = nestingProblem(text, start);
  if (deep !== undefined) throw new InputError([deep]);
  const lines = new LineCounter();
  const document = parse(text, lines, start);
  const locate = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems: Problem[] = document.errors.map((error) => syntaxProblem(error, locate));
  if (problems.length > 0) throw new InputError(problems);
  if (document.contents === null) {
    throw new InputError([
      { code: 'empty', message: 'file is empty', at: start, help: '`comity init` writes a first manifest' },
    ]);
  }
  const root = convert(document.contents, locate, 0, problems);
  if (problems.length > 0) throw new InputError(problems);
  return root;
}

function parse(text: string, lines: LineCounter, start: Position): Document.Parsed {
  try {
    return parseDocument(text, {
      version: '1.2',
      schema: 'core',
      uniqueKeys: true,
      strict: true,
      merge: false,
      lineCounter: lines,
      prettyErrors: false,
    });
  } catch (error) {
    if (error instanceof RangeError) throw new InputError([tooDeep(start)]);
    throw error;
  }
}

function tooDeep(at: Position): Problem {
  return {
    code: 'too-deep',
    message: `nested more than ${MAX_DEPTH} levels deep`,
    at,
    help: 'nothing in Comity needs such nesting',
  };
}

/** Flow nesting is counted before parsing: the parser recurses, and an attacker chooses the depth. */
function nestingProblem(text: string, start: Position): Problem | undefined {
  let depth = 0;
  let line = 1;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x0a) line++;
    else if (c === 0x5b || c === 0x7b) depth++;
    else if (c === 0x5d || c === 0x7d) depth = Math.max(0, depth - 1);
    if (depth > 4 * MAX_DEPTH) return tooDeep({ ...start, line });
  }
  const indented = /^(?: {400,}|(?:- ){100,})/m.exec(text);
  return indented === null
    ? undefined
    : tooDeep({ ...start, line: text.slice(0, indented.index).split('\n').length });
}

const SYNTAX_CODES: Readonly<Record<string, ProblemCode>> = { DUPLICATE_KEY: 'duplicate' };
const SYNTAX_HELP: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'keep one of the two',
  TAB_AS_INDENT: 'indent with spaces',
  MULTIPLE_DOCS: 'one document per file; remove the `---`',
};

function syntaxProblem(
  error: { code: string; message: string; pos: readonly number[] },
  locate: (offset: number) => Position,
): Problem {
  const sentence = error.message.replace(/\s+/g, ' ').replace(/\.$/, '');
  const help = SYNTAX_HELP[error.code];
  return {
    code: SYNTAX_CODES[error.code] ?? 'syntax',
    message: sentence.charAt(0).toLowerCase() + sentence.slice(1),
    at: locate(error.pos[0] ?? 0),
    ...(help === undefined ? {} : { help }),
  };
}

function convert(
  node: Node,
  locate: (offset: number) => Position,
  depth: number,
  problems: Problem[],
): SourceNode {
  const at = locate(node.range?.[0] ?? 0);
  if (depth > MAX_DEPTH) {
    problems.push(tooDeep(at));
    return nothing(at);
  }
  if (isAlias(node)) {
    problems.push({
      code: 'alias',
      message: 'YAML aliases are not allowed',
      at,
      help: 'write the value out, or use `market_defaults` for what all markets share',
    });
    return nothing(at);
  }
  if (node.tag !== undefined && !CORE_TAGS.has(node.tag)) {
    problems.push({
      code: 'syntax',
      message: `YAML tag \`${node.tag}\` is not allowed`,
      at,
      help: 'remove the tag',
    });
    return nothing(at);
  }
  if (isScalar(node)) return convertScalar(node.value, node.source, node.type, at);
  if (isSeq(node)) {
    return {
      kind: 'list',
      at,
      items: node.items.map((item) => convert(item as Node, locate, depth + 1, problems)),
    };
  }
  if (!isMap(node)) return nothing(at);
  const entries: MapEntry[] = [];
  for (const pair of node.items) {
    const key = pair.key as Node;
    const keyAt = locate(key.range?.[0] ?? 0);
    if (!isScalar(key)) {
      problems.push({
        code: 'syntax',
        message: 'a key must be a plain word',
        at: keyAt,
        help: 'quote the key or restructure the map',
      });
      continue;
    }
    const value =
      pair.value === null ? nothing(keyAt) : convert(pair.value as Node, locate, depth + 1, problems);
    entries.push({ key: key.source ?? String(key.value), keyAt, value });
  }
  return { kind: 'map', at, entries };
}

function nothing(at: Position): ScalarNode {
  return { kind: 'scalar', value: null, text: '', quoted: false, at };
}

function convertScalar(
  value: unknown,
  source: string | undefined,
  type: string | null | undefined,
  at: Position,
): ScalarNode {
  const quoted = type === 'QUOTE_SINGLE' || type === 'QUOTE_DOUBLE';
  const plain =
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
  return {
    kind: 'scalar',
    value: plain,
    text: quoted ? String(value) : (source ?? String(value ?? '')),
    quoted,
    at,
  };
}

/** The node as plain JSON-like data, for schema validation. Numbers become JavaScript numbers here. */
export function toPlain(node: SourceNode): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(toPlain);
    case 'map':
      return Object.fromEntries(node.entries.map((entry) => [entry.key, toPlain(entry.value)]));
  }
}
