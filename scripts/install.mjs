// Installs the locked dependencies when they are missing or out of date; otherwise does nothing.
// Plain JavaScript without dependencies: it is the one file that must run on whatever Node the machine has.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'node_modules', '.installed-lock');
const want = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const have = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';

if (have !== want) {
  console.error('installing dependencies (only when the lock file changed) …');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  try {
    execFileSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 2, 'inherit'],
      shell: process.platform === 'win32',
    });
  } catch {
    console.error(
      'error: `npm ci` failed\nhelp: check the network and that this npm may reach a package registry, then run the command again',
    );
    process.exit(2);
  }
  writeFileSync(stamp, want);
}
