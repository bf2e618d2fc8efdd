import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Failure } from '../../src/errors.ts';
import { kafkaBatchResponse } from '../../src/platform/aws-kafka-event.ts';
import { readTrigger } from '../../src/platform/trigger.ts';
import type { ConsumerRecord } from '../../src/record.ts';
import { newSeed, randomFrom } from '../support/random.ts';

const WISHES = ['topics', 'partitions', 'maxRecords'];

function sample(name: string): Record<string, unknown> {
  return JSON.parse(
    readFileSync(new URL(`../../events/consume-batch-${name}.json`, import.meta.url), 'utf8'),
  );
}

function recordsOf(event: unknown): ConsumerRecord[] {
  const trigger = readTrigger(event, WISHES);
  assert.equal(trigger.kind, 'records');
  return trigger.kind === 'records' ? trigger.records : [];
}

function code(event: unknown): string {
  try {
    return readTrigger(event, WISHES).kind;
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return error.code;
  }
}

describe('KAFKA events of FunctionGraph', () => {
  const one = { topic: 'orders', key: null, value: '{"id":"o-1","total":12.5}', headers: [] };
  const two = { topic: 'orders', key: null, value: '{"id":"o-2","total":3}', headers: [] };
  const expected = {
    kafka: [one, two],
    'kafka-instance-in-record': [one],
    'kafka-flat': [one],
    'kafka-message-objects': [one, two],
    'kafka-several-topics': [one, { topic: 'returns', key: null, value: '{"id":"r-1"}', headers: [] }],
  };
  for (const [name, records] of Object.entries(expected)) {
    test(`${name}: the texts, and nothing that the event does not carry`, () => {
      const read = recordsOf(sample(name)).map((record) => ({ ...record, value: record.value?.toString() }));
      assert.deepEqual(read, records);
    });
  }

  test('texts keep every character; null is a tombstone', () => {
    const messages = ['', ' ', 'ü\u0000\ud83d\ude00', null];
    const read = recordsOf({ trigger_type: 'KAFKA', records: [{ topic_id: 't', messages }] });
    assert.deepEqual(
      read.map(({ value }) => value?.toString() ?? null),
      messages,
    );
  });

  test('a part of another shape fails all of it, by its path', () => {
    const event = { trigger_type: 'KAFKA', records: [{ topic_id: 't', messages: ['a', 1] }] };
    assert.throws(() => readTrigger(event, WISHES), {
      code: 'MALFORMED_REQUEST',
      message: /records\[0\]\.messages\[1\]/,
    });
  });
});

describe('Kafka events of AWS', () => {
  test('keys that are absent or null, tombstones, repeated headers with signed bytes', () => {
    const records = recordsOf(sample('aws-msk'));
    const coordinates = { topic: 'my-orders', partition: 0, timestamp: 1545084650987 };
    const value = Buffer.from('{"id":"o-1","total":12.5}');
    const headers = [{ key: 'headerKey', value: Buffer.from('headerValue') }];
    assert.deepEqual(records, [
      { ...coordinates, offset: 15, key: Buffer.from('recordKey'), value, headers },
      { ...coordinates, offset: 16, key: null, value, headers },
      { ...coordinates, offset: 17, key: null, value, headers },
      {
        ...coordinates,
        offset: 18,
        key: Buffer.from('recordKey'),
        value: null,
        headers: [
          { key: 'h', value: Buffer.from([1, 2]) },
          { key: 'h', value: Buffer.from([255, 0]) },
        ],
      },
    ]);
  });

  test('a self-managed cluster has the same events', () => {
    assert.equal(recordsOf(sample('aws-self-managed'))[0]?.offset, 15);
  });

  test("a record without coordinates of its own has those of the map's name, split at the last hyphen", () => {
    const event = { eventSource: 'aws:kafka', records: { 'a-b-7-3': [{ offset: 1, value: 'YQ==' }] } };
    const [record] = recordsOf(event);
    assert.deepEqual([record?.topic, record?.partition, record?.offset], ['a-b-7', 3, 1]);
  });

  test('the answer names failed records as AWS reads them', () => {
    const failed = [{ topic: 'a-b', partition: 3, offset: 7, key: null, value: null, headers: [] }];
    assert.deepEqual(kafkaBatchResponse(failed), {
      batchItemFailures: [{ itemIdentifier: { partition: 'a-b-3', offset: 7 } }],
    });
  });

  for (const [problem, change] of Object.entries({
    'an offset that is text': { offset: '15' },
    'a negative offset': { offset: -1 },
    'an offset beyond 2^53': { offset: 2 ** 60 },
    'a value that is no base64': { value: 'a b!' },
    'a key that is a number': { key: 1 },
    'headers that are an object': { headers: {} },
    'a header value that is text': { headers: [{ h: 'x' }] },
  })) {
    test(`${problem} is refused`, () => {
      const [record] = (sample('aws-msk').records as Record<string, object[]>)['my-orders-0'] ?? [];
      const event = { eventSource: 'aws:kafka', records: { 'my-orders-0': [{ ...record, ...change }] } };
      assert.equal(code(event), 'MALFORMED_REQUEST');
    });
  }
});

describe('events that ask for a pull', () => {
  const wishOf = (event: unknown) => {
    const trigger = readTrigger(event, WISHES);
    return trigger.kind === 'pull' ? trigger.wish : trigger.kind;
  };

  test('a timer whose note is not a wish pulls everything', () =>
    assert.deepEqual(wishOf(sample('timer')), {}));
  test('a timer may narrow the pull', () =>
    assert.deepEqual(wishOf(sample('timer-narrowed')), {
      topics: ['orders'],
      partitions: [0, 1],
      maxRecords: 500,
    }));
  test('a schedule of EventBridge pulls everything', () =>
    assert.deepEqual(wishOf(sample('aws-schedule')), {}));
  test('an empty event pulls everything', () => assert.deepEqual(wishOf(sample('direct')), {}));
  test('a direct call may narrow the pull', () =>
    assert.deepEqual(wishOf({ maxRecords: 5 }), { maxRecords: 5 }));
  test('an HTTP request is read as one', () =>
    assert.equal(readTrigger(sample('apig'), WISHES).kind, 'http'));
  test('a request through VPC Lattice, which the HTTP answer refuses', () => {
    const lattice = { version: '2.0', method: 'POST', path: '/consume-batch', headers: {} };
    assert.equal(readTrigger(lattice, WISHES).kind, 'http');
  });
  for (const user_event of ['[]', '1', 'null', '"x"', '{', '', undefined, 7]) {
    test(`a timer's user_event ${JSON.stringify(user_event)} is ignored`, () =>
      assert.deepEqual(wishOf({ trigger_type: 'TIMER', user_event }), {}));
  }
});

describe('events of no known kind', () => {
  for (const event of [null, undefined, 1, 'x', true, [], [{}], { foo: 1 }, { trigger_type: 'SMN' }]) {
    test(`${JSON.stringify(event)} is MALFORMED_REQUEST`, () =>
      assert.equal(code(event), 'MALFORMED_REQUEST'));
  }
});

test('whatever comes in, a trigger or MALFORMED_REQUEST comes out, and no record is dropped', () => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const names = [
    'kafka',
    'kafka-flat',
    'kafka-message-objects',
    'aws-msk',
    'timer',
    'apig',
    'direct',
  ] as const;
  const junk = [
    null,
    undefined,
    0,
    -1,
    1.5,
    '',
    'x',
    true,
    [],
    {},
    [[]],
    { message: 1 },
    Number.NaN,
  ] as const;
  for (let round = 0; round < 5_000; round++) {
    const event = structuredClone(sample(random.pick(names)));
    const expected = countRecords(event);
    const changes = random.below(3);
    for (let change = 0; change < changes; change++) mutate(event, random, junk);
    try {
      const trigger = readTrigger(event, WISHES);
      if (changes === 0 && trigger.kind === 'records') assert.equal(trigger.records.length, expected);
      if (trigger.kind !== 'records') continue;
      assert.equal(trigger.records.length, countRecords(event), `seed ${seed}, round ${round}`);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      assert.ok(error instanceof Failure, `seed ${seed}, round ${round}: ${error}`);
      assert.equal(error.code, 'MALFORMED_REQUEST');
    }
  }
});

/** As many as there are leaves where records stand. */
function countRecords(event: Record<string, unknown>): number {
  const { records, messages } = event as { records?: unknown; messages?: unknown };
  if (records === undefined && Array.isArray(messages)) return messages.length;
  if (Array.isArray(records)) {
    return records.reduce((sum: number, entry) => sum + (entry?.messages?.length ?? 0), 0);
  }
  return Object.values((records ?? {}) as Record<string, unknown[]>).reduce(
    (sum, list) => sum + (list?.length ?? 0),
    0,
  );
}

/** Puts something else at a random place of the event. */
function mutate(
  event: Record<string, unknown>,
  random: ReturnType<typeof randomFrom>,
  junk: readonly [unknown, ...unknown[]],
): void {
  let place: Record<string, unknown> = event;
  for (let depth = 0; depth < 6; depth++) {
    const keys = Object.keys(place);
    const key = keys[random.below(Math.max(1, keys.length))];
    if (key === undefined) return;
    const value = place[key];
    if (typeof value === 'object' && value !== null && random.chance(0.7)) {
      place = value as Record<string, unknown>;
      continue;
    }
    place[key] = random.pick(junk);
    return;
  }
}
