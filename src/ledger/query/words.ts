import { LedgerError, quoted } from '../errors.ts';

/**
 * Words of a record, and of what is searched for. They are cut here and not by a database: PostgreSQL takes `gpt-4.1`
 * for a version and `a/b` for a path, SQLite does not, and both have to give the same answers.
 */
const WORD = /[\p{L}\p{N}._-]*[\p{L}\p{N}][\p{L}\p{N}._-]*/gu;

/** Longest word that a database is given; longer ones are cut alike on both sides. */
const LONGEST_WORD = 256;

/** Words that must follow each other in a record, the last perhaps only a beginning. */
export interface Phrase {
  readonly words: readonly string[];
  readonly prefix: boolean;
}

/** Words of a text in order: in small letters, and in ASCII, so that no database has a say in what a letter is. */
export function wordsIn(text: string): readonly string[] {
  const folded = text.normalize('NFKC').toLowerCase();
  return (folded.match(WORD) ?? []).map((word) =>
    word
      .replace(/[^a-z0-9._-]/gu, (letter) => `_${letter.codePointAt(0)?.toString(16) ?? ''}_`)
      .slice(0, LONGEST_WORD),
  );
}

/**
 * Reads what is searched for: words that must all occur, `"a phrase"`, and `begin*`.
 * @throws {LedgerError} `query-invalid`
 */
export function phrasesOf(text: string): readonly Phrase[] {
  const parts = text.match(/"[^"]*"\*?|[^\s"]+/g) ?? [];
  const phrases = parts.map((part) => ({ words: wordsIn(part), prefix: part.endsWith('*') }));
  const whole = (text.match(/"/g)?.length ?? 0) % 2 === 0;
  if (whole && phrases.length > 0 && phrases.every(({ words }) => words.length > 0)) return phrases;
  throw new LedgerError(
    'query-invalid',
    `${quoted(text)} cannot be searched for`,
    'write words, a `"phrase"`, or the beginning of a word with `*`',
  );
}
