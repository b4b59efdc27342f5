// Writes the generated parts of README.md and docs/where.svg. `npm run readme`; a test keeps the counts current.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadCases } from '../src/assess/load-cases.ts';
import { comity } from '../src/cli/testdata/run.ts';
import { BUNDLED_LAW, loadLaw } from '../src/rules/load.ts';
import { speed } from './speed.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DAY = '2026-11-25';

/** The law in numbers, in one sentence. */
export function counts(): string {
  const loaded = loadLaw();
  const { law } = loaded;
  const rulebooks = [...law.rulebooks.values()];
  const cases = loadCases(loaded, [join(BUNDLED_LAW, 'cases')]);
  const places = new Set(rulebooks.map(({ jurisdiction }) => jurisdiction));
  const deep = rulebooks.filter(({ depth }) => depth === 'deep').length;
  return [
    `The law today: **${law.rules.size} rules** of **${rulebooks.length} instruments** (${deep} of them deep) in **${places.size} jurisdictions**,`,
    `${law.controls.size} harmonised controls, ${law.vocabulary.facts.size} facts, ${cases.length} worked cases.`,
  ].join('\n');
}

function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

const COLOURS: Readonly<Record<string, string>> = {
  'not-allowed': '#ff6b6b',
  'cannot-tell': '#ffd166',
  'allowed-if': '#6cd4ff',
  allowed: '#7bd88f',
};

/** Terminal output as a picture that any page can show. */
function picture(command: string, output: string): string {
  const lines = [`$ ${command}`, ...output.trimEnd().split('\n')];
  const height = 18;
  const rows = lines.map((line, i) => {
    const coloured = escapeXml(line).replace(
      /^( {2}\S+\s+)(not-allowed|cannot-tell|allowed-if|allowed)\b/,
      (_all, lead: string, word: string) => `${lead}<tspan fill="${COLOURS[word] ?? '#fff'}">${word}</tspan>`,
    );
    return `<text x="16" y="${28 + i * height}" xml:space="preserve"${i === 0 ? ' fill="#9aa5b1"' : ''}>${coloured}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="720" height="${lines.length * height + 28}" role="img" aria-label="${escapeXml(command)}">`,
    '<rect width="100%" height="100%" rx="8" fill="#14181d"/>',
    '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13" fill="#e6e9ec">',
    ...rows,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function replaceBlock(text: string, name: string, body: string): string {
  const block = new RegExp(`(<!-- ${name}: [^>]*-->\\n)[\\s\\S]*?(<!-- /${name} -->)`);
  if (!block.test(text)) throw new Error(`README.md has no block \`${name}\``);
  return text.replace(block, (_all, open: string, close: string) => `${open}${body}\n${close}`);
}

if (import.meta.main) {
  const where = comity(['where', 'examples/cv-screener', '--as-of', DAY]);
  writeFileSync(join(ROOT, 'docs/where.svg'), picture('comity where examples/cv-screener', where.out));
  const explain = comity([
    'explain',
    'eu/ai-act:art-5-1-f',
    'examples/voice-coach',
    '--market',
    'EU',
    '--as-of',
    DAY,
  ]);
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  writeFileSync(
    join(ROOT, 'README.md'),
    replaceBlock(
      replaceBlock(replaceBlock(readme, 'counts', counts()), 'speed', speed()),
      'explain',
      `\`\`\`\n${explain.out.trimEnd()}\n\`\`\``,
    ),
  );
}
