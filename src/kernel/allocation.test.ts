import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const CALLS = 1_000_000;

/** Bytes by which the heap grows over a million calls, each as the program makes them. */
function growth(call: string): number {
  const program = `
    import { watch } from ${JSON.stringify(new URL('./live-policy.ts', import.meta.url).href)};
    const live = await watch(${JSON.stringify(fileURLToPath(new URL('../../examples/support-chatbot/comity.yaml', import.meta.url)))});
    const { policy } = live;
    const facts = { 'user.age_band': 'under-13', 'user.crisis': false };
    let kept;
    const run = (n) => { for (let i = 0; i < n; i++) kept = ${call}; };
    for (let i = 0; i < 20; i++) run(20_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    gc();
    const before = process.memoryUsage().heapUsed;
    run(${CALLS});
    console.log(process.memoryUsage().heapUsed - before);`;
  // Room for all that a million calls could allocate, so that nothing is collected before it is counted.
  const flags = [
    '--expose-gc',
    '--max-semi-space-size=256',
    '--min-semi-space-size=256',
    '--input-type=module',
  ];
  return Number(
    execFileSync(process.execPath, [...flags, '--eval', program], { encoding: 'utf8', timeout: 50_000 }),
  );
}

/** The smallest object there is takes twelve bytes. */
const NOTHING = CALLS * 2;

test('a decision on a repeated key allocates nothing', { timeout: 120_000 }, () => {
  expect(growth('policy.decide(facts)')).toBeLessThan(NOTHING);
});

test('a live policy allocates no more than the number that is the time', { timeout: 120_000 }, () => {
  expect(growth('live.decide(facts)')).toBeLessThan(CALLS * 16 + NOTHING);
});

test('an allocation would be noticed', { timeout: 120_000 }, () => {
  expect(growth('{ decision: policy.decide(facts) }')).toBeGreaterThan(NOTHING);
});
