import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { consoleConsumer } from '../../local/kafka/tools.ts';
import { Failure } from '../../src/errors.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { recordingLog } from '../support/log.ts';
import { acknowledged, failed, newProducer, record, send } from '../support/producer.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();

describe('producer', () => {
  it('gives each record its own partition and exact offset, in the order of the call', async () => {
    const topic = await newTopic(cluster);
    const { producer } = newProducer(connectionConfigFor(cluster));
    const records = Array.from({ length: 500 }, (_, i) =>
      record(topic, `value ${i}`, i % 3 === 0 ? { partition: i % 6 } : { key: Buffer.from(`key ${i % 50}`) }),
    );
    const outcomes = await Promise.all(
      [0, 100, 200, 300, 400].map((from) => send(producer, ...records.slice(from, from + 100))),
    );
    const log = await readTopic(cluster, topic);
    assert.equal(log.length, records.length);
    outcomes.flat().forEach((outcome, i) => {
      const { partition, offset } = acknowledged(outcome);
      const stored = log.find((r) => r.partition === partition && r.offset === offset);
      assert.equal(stored?.value?.toString(), `value ${i}`);
    });
  });

  it('keeps every byte: keys, values, headers, nulls and timestamps, as the Java consumer reads them', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const { producer } = newProducer(connectionConfigFor(cluster));
    const bytes = randomBytes(300);
    const headers = [
      { key: 'ä', value: bytes },
      { key: 'ä', value: null },
      { key: '', value: Buffer.alloc(0) },
    ];
    const timestamps = [1_700_000_000_000, 1_600_000_000_000, 0, 1_750_000_000_001];
    const outcomes = await send(
      producer,
      record(topic, bytes, { key: Buffer.alloc(0), headers, timestamp: timestamps[0] ?? 0 }),
      record(topic, null, { key: bytes, timestamp: timestamps[1] ?? 0 }),
      record(topic, Buffer.alloc(0), { timestamp: timestamps[2] ?? 0 }),
      record(topic, 'x'.repeat(100_000), { timestamp: timestamps[3] ?? 0 }),
    );
    assert.deepEqual(
      outcomes,
      [0, 1, 2, 3].map((offset) => ({ partition: 0, offset })),
    );
    const read = await consoleConsumer(cluster, { topic, maxMessages: 4 });
    assert.deepEqual(
      read.map(({ key, value, timestamp }) => ({ key, value, timestamp })),
      [
        { key: Buffer.alloc(0), value: bytes, timestamp: timestamps[0] },
        { key: bytes, value: null, timestamp: timestamps[1] },
        { key: null, value: Buffer.alloc(0), timestamp: timestamps[2] },
        { key: null, value: Buffer.from('x'.repeat(100_000)), timestamp: timestamps[3] },
      ],
    );
    assert.deepEqual(read[0]?.headers, headers);
  });

  it('sends records without a key to one partition a request', async () => {
    const topic = await newTopic(cluster);
    const { producer } = newProducer(connectionConfigFor(cluster));
    const used = new Set<number>();
    for (let i = 0; i < 30; i++) {
      const outcomes = await send(producer, ...Array.from({ length: 4 }, () => record(topic, 'v')));
      const partitions = new Set(outcomes.map((outcome) => acknowledged(outcome).partition));
      assert.equal(partitions.size, 1);
      used.add(acknowledged(outcomes[0]).partition);
    }
    assert.ok(used.size > 1, 'and over the requests to several partitions');
  });

  it('gathers what concurrent callers send while a request is under way', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const { producer } = newProducer(connectionConfigFor(cluster));
    await send(producer, record(topic, 'first'));
    const log = recordingLog();
    const counting = newProducer(connectionConfigFor(cluster), {}, log);
    await send(counting.producer, record(topic, 'warm'));
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, i) => send(counting.producer, record(topic, `${i}`))),
    );
    const offsets = outcomes.map(([outcome]) => acknowledged(outcome).offset);
    assert.deepEqual(
      offsets,
      Array.from({ length: 200 }, (_, i) => i + 2),
      'in the order of their arrival',
    );
  });

  it('splits what exceeds one request, and refuses a record that never fits, before anything is sent', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const { producer } = newProducer(connectionConfigFor(cluster), { maxRequestSize: 10_000 });
    const outcomes = await send(
      producer,
      ...Array.from({ length: 30 }, () => record(topic, 'x'.repeat(3_000))),
    );
    assert.deepEqual(
      outcomes.map((outcome) => acknowledged(outcome).offset),
      Array.from({ length: 30 }, (_, i) => i),
    );
    await assert.rejects(send(producer, record(topic, 'small'), record(topic, 'x'.repeat(10_000))), {
      code: 'RECORD_TOO_LARGE',
      message: /records\[1\] .* KAFKA_MAX_REQUEST_SIZE is 10000/,
    });
    assert.equal((await readTopic(cluster, topic)).length, 30);
  });

  it('finds the record that the cluster refuses, and publishes the others in their order', async () => {
    const topic = await newTopic(cluster, { partitions: 1, config: { 'max.message.bytes': '2000' } });
    const { producer } = newProducer(connectionConfigFor(cluster));
    const values = Array.from({ length: 20 }, (_, i) =>
      i === 13 ? 'x'.repeat(3_000) : `value ${i} ${'y'.repeat(200)}`,
    );
    const outcomes = await send(producer, ...values.map((value) => record(topic, value)));
    assert.equal(failed(outcomes[13]).code, 'RECORD_TOO_LARGE');
    assert.equal(failed(outcomes[13]).delivery, 'none');
    const others = values.filter((_, i) => i !== 13);
    const log = await readTopic(cluster, topic);
    assert.deepEqual(
      log.map(({ value }) => value?.toString()),
      others,
    );
    outcomes.forEach((outcome, i) => {
      if (i !== 13) assert.equal(log[acknowledged(outcome).offset ?? -1]?.value?.toString(), values[i]);
    });
  });

  it('refuses all records that the cluster names at once, however many', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const { producer } = newProducer(connectionConfigFor(cluster));
    const timestamp = 4_000_000_000_000;
    const records = Array.from({ length: 5_000 }, (_, i) =>
      record(topic, `${i}`, i % 100 === 7 ? {} : { timestamp }),
    );
    const trace: { retries?: number } = {};
    const outcomes = await producer.send(records, Date.now() + 5_000, trace);
    const good = outcomes.filter((outcome) => !(outcome instanceof Failure));
    assert.deepEqual(
      good,
      Array.from({ length: 50 }, (_, offset) => ({ partition: 0, offset })),
    );
    assert.ok(
      outcomes.every((outcome) => !(outcome instanceof Failure) || outcome.code === 'INVALID_RECORD'),
    );
    assert.equal(trace.retries, 1);
  });

  it('acknowledges nothing that is not in the log, after a record that was too large beside a good one', async () => {
    const topic = await newTopic(cluster, { partitions: 2, config: { 'max.message.bytes': '2000' } });
    const { producer } = newProducer(connectionConfigFor(cluster));
    const first = await send(
      producer,
      record(topic, 'good', { partition: 0 }),
      record(topic, 'x'.repeat(3_000), { partition: 1 }),
    );
    assert.equal(acknowledged(first[0]).offset, 0);
    assert.equal(failed(first[1]).code, 'RECORD_TOO_LARGE');
    for (let i = 1; i <= 3; i++) {
      const [toFirst, toSecond] = await send(
        producer,
        record(topic, `next ${i}`, { partition: 0 }),
        record(topic, `next ${i}`, { partition: 1 }),
      );
      assert.equal(acknowledged(toFirst).offset, i);
      assert.equal(acknowledged(toSecond).offset, i - 1);
    }
    const log = await readTopic(cluster, topic);
    assert.deepEqual(
      log.map(({ partition, value }) => `${partition} ${value}`),
      ['0 good', '0 next 1', '0 next 2', '0 next 3', '1 next 1', '1 next 2', '1 next 3'],
    );
  });

  it('publishes with acks=1 and with acks=0, where it names no offset', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const one = newProducer(connectionConfigFor(cluster), { acks: '1', idempotence: 'off' });
    assert.equal(acknowledged((await send(one.producer, record(topic, 'one')))[0]).offset, 0);
    const zero = newProducer(connectionConfigFor(cluster), { acks: '0', idempotence: 'off' });
    const [outcome] = await send(zero.producer, record(topic, 'zero'));
    assert.deepEqual(outcome, { partition: 0, offset: null });
    await send(one.producer, record(topic, 'last'));
    const values = (await readTopic(cluster, topic)).map(({ value }) => value?.toString());
    assert.deepEqual(values.sort(), ['last', 'one', 'zero']);
  });

  it('refuses an unknown topic and an unknown partition before anything is sent', async () => {
    const topic = await newTopic(cluster, { partitions: 2 });
    const { producer } = newProducer(connectionConfigFor(cluster));
    await assert.rejects(send(producer, record(`${topic}-missing`, 'v')), {
      code: 'UNKNOWN_TOPIC',
      status: 404,
    });
    await assert.rejects(send(producer, record(topic, 'v'), record(topic, 'v', { partition: 2 })), {
      code: 'UNKNOWN_PARTITION',
      message: /records\[1\]: there is no partition 2.* 0 to 1/,
    });
    assert.equal((await readTopic(cluster, topic)).length, 0);
  });

  it('finds a topic that was created after it was asked for in vain', async () => {
    const { producer } = newProducer(connectionConfigFor(cluster));
    const topic = `late-${randomBytes(4).toString('hex')}`;
    await assert.rejects(send(producer, record(topic, 'v')), { code: 'UNKNOWN_TOPIC' });
    await cluster.createTopic(topic, { partitions: 1 });
    assert.equal(acknowledged((await send(producer, record(topic, 'v')))[0]).offset, 0);
  });

  it('tells what the cluster does not permit, and falls back where it refuses idempotence only', async () => {
    const hidden = await newTopic(cluster);
    const readOnly = await newTopic(cluster, {}, 'restricted-readonly');
    const allowed = await newTopic(cluster, { partitions: 1 }, 'restricted-allowed');
    const config = connectionConfigFor(cluster, { user: cluster.users.restricted });
    const { producer } = newProducer(config);
    await assert.rejects(send(producer, record(hidden, 'v')), { code: 'TOPIC_NOT_AUTHORIZED', status: 403 });
    assert.equal(failed((await send(producer, record(readOnly, 'v')))[0]).code, 'TOPIC_NOT_AUTHORIZED');
    assert.equal(acknowledged((await send(producer, record(allowed, 'v')))[0]).offset, 0);
  });

  for (const compression of ['gzip', 'lz4'] as const) {
    it(`compresses with ${compression}, as the Java consumer reads it`, async () => {
      const topic = await newTopic(cluster, { partitions: 1 });
      const { producer } = newProducer(connectionConfigFor(cluster), { compression });
      const values = Array.from({ length: 50 }, (_, i) => `value ${i} ${'x'.repeat(1_000)}`);
      await send(producer, ...values.map((value) => record(topic, value, { key: Buffer.from('k') })));
      acknowledged((await send(producer, record(topic, randomBytes(10))))[0]);
      const read = await consoleConsumer(cluster, { topic, maxMessages: 51 });
      assert.deepEqual(
        read.slice(0, 50).map(({ value }) => value?.toString()),
        values,
      );
    });
  }

  it('refuses further records while those that wait exceed the queue', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const { producer } = newProducer(connectionConfigFor(cluster), { maxQueueBytes: 10_000 });
    await send(producer, record(topic, 'warm'));
    const first = send(producer, record(topic, 'x'.repeat(9_000)));
    await assert.rejects(send(producer, record(topic, 'x'.repeat(9_000))), {
      code: 'QUEUE_FULL',
      status: 429,
    });
    acknowledged((await first)[0]);
    acknowledged((await send(producer, record(topic, 'x'.repeat(9_000))))[0]);
  });
});
