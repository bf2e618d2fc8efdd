import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fits,
  type Intent,
  intentText,
  readIntent,
} from '../../../functions/consume-batch/sinks/s3/intent.ts';
import { OffsetRuns, OffsetWalk } from '../../../functions/consume-batch/sinks/s3/offset-runs.ts';
import { newSeed, randomFrom } from '../../support/random.ts';

function runsOf(start: number, offsets: readonly number[]): OffsetRuns {
  const runs = new OffsetRuns(start);
  for (const offset of offsets) runs.add(offset);
  return runs;
}

function intentOf(start: number, offsets: readonly number[], to: number): Intent {
  const dead = runsOf(start, []);
  const records = runsOf(start, offsets);
  return {
    ...{ to, leaderEpoch: 7, name: `orders/0/${start}.jsonl.gz`, fields: ['value'], compression: 'gzip' },
    ...{ build: 'abc', sha256: 'a'.repeat(64), records, dead },
  };
}

test('offsets come back as they were, whatever they are', () => {
  const seed = newSeed();
  console.log(`# SEED=${seed}`);
  const random = randomFrom(seed);
  for (let round = 0; round < 200; round++) {
    const start = random.pick([0, 1, 2 ** 31, 2 ** 52]);
    const offsets: number[] = [];
    for (let offset = start, n = random.below(300); n > 0; n--) {
      offset += random.below(random.pick([1, 2, 200, 2 ** 30]));
      offsets.push(offset++);
    }
    const runs = OffsetRuns.decode(start, runsOf(start, offsets).encode());
    assert.deepEqual([...runs], offsets);
    // What is read back can go on.
    const last = (offsets.at(-1) ?? start) + 5;
    runs.add(last);
    assert.deepEqual([...runs], [...offsets, last]);
  }
});

test('1,000 scattered exclusions of 10,000 records fit beside an offset', () => {
  const random = randomFrom(newSeed());
  const left = new Set<number>();
  while (left.size < 1_000) left.add(random.below(10_000));
  const kept = Array.from({ length: 10_000 }, (_, offset) => offset).filter((offset) => !left.has(offset));
  const text = intentText(
    intentOf(
      5_000,
      kept.map((offset) => offset + 5_000),
      15_000,
    ),
  );
  assert.ok(fits(text), `${text.length} characters`);
  const read = readIntent(5_000, text);
  assert.deepEqual(
    [...(read?.records ?? [])],
    kept.map((offset) => offset + 5_000),
  );
});

test('what can not be compressed into an offset is said not to fit', () => {
  const random = randomFrom(newSeed());
  let offset = 0;
  const offsets = Array.from({ length: 2_000 }, () => (offset += 1 + random.below(2 ** 30)));
  assert.ok(!fits(intentText(intentOf(0, offsets, offset + 1))));
});

test('an intent of a later version, or none, is not read as one', () => {
  const text = intentText(intentOf(0, [1, 2], 3));
  assert.equal(readIntent(0, text)?.to, 3);
  for (const other of [
    text.replace('"v":1', '"v":2'),
    text.replace('"to":3', '"to":0'),
    text.replace('gzip"', 'zstd"'),
    text.replace('"value"', '"colour"'),
    text.replace(/"records":"[^"]*"/, '"records":"####"'),
    text.slice(0, -1),
    'null',
    '{}',
    '',
  ]) {
    assert.equal(readIntent(0, other), undefined, other);
  }
});

test('a walk finds the first offset that no record came for', () => {
  const walk = new OffsetWalk(runsOf(10, [10, 11, 20, 30]));
  assert.deepEqual(
    [10, 11, 12, 20].map((offset) => walk.has(offset)),
    [true, true, false, true],
  );
  assert.equal(walk.missing, undefined);
  assert.equal(walk.has(31), false);
  assert.equal(walk.missing, 30);
});
