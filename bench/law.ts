import { loadLaw } from '../src/rules/load.ts';
import type { Benchmark, Row } from './bench.ts';
import { row, time } from './bench.ts';
import { inTemporary } from './processes.ts';

export const benchmark: Benchmark = {
  name: 'law',
  summary: 'load and validate the whole of law/: from the files, and from the cache keyed by their digest',
  parts: {
    all: () => inTemporary(loadRows),
  },
};

async function loadRows(cache: string): Promise<readonly Row[]> {
  process.env.XDG_CACHE_HOME = cache;
  process.env.COMITY_CACHE = 'off';
  const { law, digest } = loadLaw();
  const cold = await time(15, () => loadLaw(), 0);
  process.env.COMITY_CACHE = 'on';
  loadLaw();
  if (loadLaw().digest !== digest) throw new Error('the cache gives another law');
  const cached = await time(30, () => loadLaw());
  const size = `${law.rulebooks.size} rulebooks, ${law.rules.size} rules`;
  return [row(`from the files (${size})`, 'ms', cold), row('from the cache', 'ms', cached)];
}
