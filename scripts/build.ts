// Emits dist/ with types, and the page that verifies evidence in a browser. The published package needs no build step of its user.
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(`${root}/dist`, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [`${root}/node_modules/typescript/bin/tsc`, '-p', `${root}/tsconfig.build.json`],
  { cwd: root, stdio: 'inherit' },
);
execFileSync(process.execPath, [`${root}/scripts/verifier-page.ts`], { cwd: root, stdio: 'inherit' });
chmodSync(`${root}/dist/cli/main.js`, 0o755);
