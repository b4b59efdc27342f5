// Builds the page that verifies evidence in a browser: one file without network, the same bytes on every machine.
// `node scripts/verifier-page.ts [file]` writes it, by default to dist/verifier.html, and prints its SHA-256.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, rolldown } from 'rolldown';
import { recordChecks } from './verifier-page/record-checks.ts';

const APP = new URL('./verifier-page/app.ts', import.meta.url);
const STYLE = new URL('./verifier-page/page.css', import.meta.url);
const PACKAGE = new URL('../package.json', import.meta.url);

/** The page as text. */
export async function verifierPage(): Promise<string> {
  const script = inline(await bundled());
  const style = inline(readFileSync(STYLE, 'utf8'));
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { readonly version: string };
  // No network, no frames, no plugins, no evaluation; exactly this script and this style, known by their hashes. Only
  // this script can make the blob that its worker runs, which is itself.
  const policy = [
    "default-src 'none'",
    `script-src ${hashSource(script)}`,
    `style-src ${hashSource(style)}`,
    'worker-src blob:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<!-- comity ${version}, Apache-2.0. Contains @noble/curves, @noble/hashes and @noble/post-quantum, MIT, (c) Paul Miller
(paulmillr.com); code by ajv and fast-deep-equal, MIT, (c) Evgeny Poberezkin. -->
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Verify evidence</title>
<style>${style}</style>
<h1>Verify evidence from an append-only log</h1>
<p>Works offline. Nothing that you drop here leaves this page.</p>
<label class="drop">Drop the evidence (.zip), <strong>your own</strong> policy, and checkpoints that you kept, or choose files
<input id="files" type="file" multiple></label>
<p><label><input id="records" type="checkbox"> Every entry must be a <code>comity.audit/1</code> record</label></p>
<dl id="given"></dl>
<main id="result" aria-live="polite"></main>
<footer>comity ${version}. Before you rely on this file, compare its SHA-256 with the one that its maker published.</footer>
<script>${script}</script>
</html>
`;
}

const ENTRY = '\0entry.js';
const CHECKS = '\0record-checks.js';

/** The modules that are made here: the schemas as code, and what starts the page with them. */
function made(): Plugin {
  const { code, exports } = recordChecks();
  const table = [...exports].map(([event, name]) => `${JSON.stringify(event)}: checks.${name}`);
  const entry = [
    `import { start } from ${JSON.stringify(fileURLToPath(APP))};`,
    `import * as checks from ${JSON.stringify(CHECKS)};`,
    `start({ ${table.join(', ')} });`,
  ].join('\n');
  const modules = new Map([
    [ENTRY, entry],
    [CHECKS, code],
  ]);
  return {
    name: 'made',
    // Ajv's run-time parts are imported from no file, so they are looked for from here.
    resolveId(id, importer) {
      if (modules.has(id)) return id;
      return importer === CHECKS ? this.resolve(id, fileURLToPath(import.meta.url)) : undefined;
    },
    load: (id) => modules.get(id),
  };
}

/** The script, with everything it imports, in one piece. */
async function bundled(): Promise<string> {
  const bundle = await rolldown({ input: ENTRY, platform: 'browser', logLevel: 'silent', plugins: [made()] });
  try {
    const { output } = await bundle.generate({ format: 'iife', minify: true, comments: { legal: false } });
    const [chunk, ...more] = output;
    if (more.length > 0) throw new Error('verifier was bundled into more than one file');
    return chunk.code;
  } finally {
    await bundle.close();
  }
}

/** Text that can stand inside an element without ending it. */
function inline(text: string): string {
  return text.replaceAll('</', '<\\/').replaceAll('<!--', '<\\!--');
}

function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = process.argv[2] ?? fileURLToPath(new URL('../dist/verifier.html', import.meta.url));
  const html = await verifierPage();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, html);
  process.stdout.write(
    `${file}: ${html.length} bytes, sha256 ${createHash('sha256').update(html).digest('hex')}\n`,
  );
}
