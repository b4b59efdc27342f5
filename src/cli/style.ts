import { styleText } from 'node:util';
import type { Io } from './command.ts';

type Colour = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';

/** Colours text where colour may be used; colour is never the only sign. */
export function paint(io: Io, colour: Colour, text: string): string {
  return io.colour ? styleText(colour, text, { validateStream: false }) : text;
}

/** Breaks text at spaces so that no line is longer than `width`; words longer than that stay whole. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
}

/** A row of fixed columns followed by one that wraps under itself. */
export function row(
  io: Io,
  left: readonly (readonly [text: string, width: number])[],
  last: string,
  colours: readonly (Colour | undefined)[] = [],
): string {
  const indent = left.reduce((sum, [, width]) => sum + width, 0);
  const lines = wrap(last, Math.max(20, io.columns - indent));
  const head = left.map(([text, width], i) => {
    const padded = text.padEnd(width);
    const colour = colours[i];
    return colour === undefined ? padded : paint(io, colour, padded);
  });
  return `${[head.join('') + (lines[0] ?? ''), ...lines.slice(1).map((line) => ' '.repeat(indent) + line)].join('\n').trimEnd()}\n`;
}
