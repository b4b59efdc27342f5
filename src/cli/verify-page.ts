import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mistake } from './command.ts';

/** Where the page is, both for the package and for a clone: `npm run build` puts it there. */
const PAGE = new URL('../../dist/verifier.html', import.meta.url);
/** A clone can build it; the package has no such file, and needs none. */
const BUILDER = new URL('../../scripts/verifier-page.ts', import.meta.url);

/** The page that verifies evidence in a browser, offline: one file, the same bytes for everybody. */
export async function verifierPage(): Promise<string> {
  if (existsSync(fileURLToPath(BUILDER))) {
    const builder: { readonly verifierPage: () => Promise<string> } = await import(BUILDER.href);
    return builder.verifierPage();
  }
  if (existsSync(fileURLToPath(PAGE))) return readFileSync(PAGE, 'utf8');
  throw mistake(
    'page that verifies is not in this installation',
    'install the published package again, or run `npm run build` in a clone',
    'unreadable',
  );
}
