/**
 * Found 2026-11-27 (B5): brokers below 2.5 don't know OffsetFetch's `requireStable`, so that a pull could begin at
 * an offset that the transaction before it was just moving: 10,200 records of 10,000. The moment is short, and
 * seldom met on an idle machine. `REPEAT` (default 3) says how often it is tried.
 */
import { spawn } from 'node:child_process';
import { after, test } from 'node:test';
import { overlappingPulls } from '../consume-batch/overlapping.ts';
import { kafkaForTests } from '../kafka.ts';

const REPEAT = Number(process.env.REPEAT ?? 3);
const BUSY_LOOPS = 2;

const cluster = await kafkaForTests({ release: '2.3.1' });
for (let loop = 0; loop < BUSY_LOOPS; loop++) {
  // It ends by itself where this process is killed.
  const busy = spawn(process.execPath, ['-e', 'const ppid = process.ppid; while (process.ppid === ppid);']);
  after(() => busy.kill('SIGKILL'));
}

for (let run = 1; run <= REPEAT; run++) {
  test(`10,000 records in overlapping pulls beside busy loops, run ${run} of ${REPEAT}: every record exactly once`, () =>
    overlappingPulls(cluster, { records: 10_000, calls: 4, withinMs: 1_000 }));
}
