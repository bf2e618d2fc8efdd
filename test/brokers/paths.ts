import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { exitCode } from '../../functions/connectivity-check/formats/exit-code.ts';
import { textReport } from '../../functions/connectivity-check/formats/text.ts';
import { PermanentError } from '../../functions/consume-batch/records/record-failure.ts';
import { createPublish } from '../../functions/produce/publish.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import type { ConnectionConfig } from '../../src/kafka/connection/config.ts';
import { bundledConsumer } from '../support/bundle.ts';
import { checkWith, variablesFor } from '../support/check.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { besideLiveMember, killIntoBucket, killPlain, killTransactional } from '../support/kills.ts';
import { recordingLog } from '../support/log.ts';
import { overlappingPulls } from '../support/overlapping-pulls.ts';
import { acknowledged, post, produceDefaults } from '../support/produce.ts';
import { newProducer, record, acknowledged as settled } from '../support/producer.ts';
import { numbered, numbersOf, publish, readTopic, upTo } from '../support/records.ts';
import { replayWith } from '../support/replay.ts';
import { bucketForTests } from '../support/s3.ts';

const securities = [
  { listener: 'SASL_SSL', mechanism: 'PLAIN', codec: 'gzip' },
  { listener: 'SASL_PLAINTEXT', mechanism: 'SCRAM-SHA-256', codec: 'lz4' },
  { listener: 'SASL_SSL', mechanism: 'SCRAM-SHA-512', codec: 'none' },
  { listener: 'SSL', mechanism: undefined, codec: 'none' },
] as const;

const PARTITIONS = 3;

/** What the functions are for, on this broker, over every way to log in; in `short` with one codec each. */
export function everyPath(cluster: KafkaCluster, { short }: { short: boolean }): void {
  for (const { listener, mechanism, codec } of securities) {
    describe(`over ${listener}${mechanism ? ` with ${mechanism}` : ''}`, () => {
      const connection = connectionConfigFor(cluster, { listener, ...(mechanism && { mechanism }) });

      test('a JSON request is published and pulled', () => publishAndPull(cluster, connection));

      for (const compression of short ? [codec] : (['none', 'gzip', 'lz4'] as const)) {
        test(`large and small records, compression ${compression}: published idempotently, pulled byte for byte`, () =>
          publishEverything(cluster, connection, compression));
      }

      test('the check finds nothing wrong', async () => {
        const report = await checkWith({
          ...variablesFor(cluster, listener),
          ...(mechanism && { KAFKA_SASL_MECHANISM: mechanism }),
          CHECK_TOPIC: await newTopic(cluster, { partitions: PARTITIONS }),
          CHECK_GROUP_ID: 'a-group',
          CHECK_ROUND_TRIP: 'true',
        });
        assert.deepEqual([exitCode(report), report.warnings], [0, []], textReport(report));
      });

      if (mechanism) {
        test('the check names a wrong password', async () => {
          const user = { ...cluster.users.app, password: 'wrong' };
          const variables = { ...variablesFor(cluster, listener, { user }), KAFKA_SASL_MECHANISM: mechanism };
          const report = await checkWith(variables);
          assert.deepEqual([exitCode(report), report.verdict?.fault], [40, 'SASL_BAD_CREDENTIALS']);
        });
      }
    });
  }

  test('dead letters are kept, and replayed once', () => buryAndReplay(cluster));
}

async function publishAndPull(cluster: KafkaCluster, connection: ConnectionConfig): Promise<void> {
  const topic = await newTopic(cluster, { partitions: PARTITIONS });
  const log = recordingLog();
  const { producer } = newProducer(connection, { idempotence: 'required' }, log);
  const ask = createPublish({ producer, config: produceDefaults, log });
  const values = [{ n: 1, price: 1.5 }, 'text', null, [true]];
  const body = { records: values.map((value, n) => ({ key: n % 2 === 0 ? { n } : null, value })) };
  const response = await ask(post(topic, body), Date.now() + 10_000);
  assert.equal(acknowledged(response).length, values.length);
  const { pull, handled } = newConsumer(cluster, topic, { connection });
  const { processed, more } = await pull();
  assert.deepEqual([processed, more], [values.length, false]);
  const found = handled.map(({ key, value }) => `${key} ${value}`);
  const expected = values.map((value, n) => `${n % 2 === 0 ? `{"n":${n}}` : null} ${text(value)}`);
  assert.deepEqual(found.sort(), expected.sort());
  assertCalm(log);
}

function text(value: unknown): string {
  return value === null ? 'null' : JSON.stringify(value);
}

async function publishEverything(
  cluster: KafkaCluster,
  connection: ConnectionConfig,
  compression: 'none' | 'gzip' | 'lz4',
): Promise<void> {
  const topic = await newTopic(cluster, { partitions: PARTITIONS });
  const log = recordingLog();
  const options = { idempotence: 'required', compression } as const;
  const { producer } = newProducer(connection, options, log);
  const key = (n: number) => (n % 3 === 0 ? null : Buffer.from(`k${n}`));
  const records = [
    record(topic, randomBytes(900_000), { key: Buffer.from('large') }),
    record(topic, 'x'.repeat(900_000), { key: Buffer.from('long') }),
    record(topic, null, { key: Buffer.from('tombstone') }),
    ...Array.from({ length: 500 }, (_, n) =>
      record(topic, `value ${n} ${'y'.repeat(n)}`, {
        key: key(n),
        headers: [{ key: 'h', value: Buffer.from([n & 0xff]) }],
        timestamp: 1_700_000_000_000 + n,
      }),
    ),
  ];
  // It is much, and the machine may be busy with other brokers.
  for (const outcome of await producer.send(records, Date.now() + 30_000)) settled(outcome);
  const { pull, handled } = newConsumer(cluster, topic, { connection });
  assert.equal((await pull()).processed, records.length);
  const lines = (read: readonly Pick<(typeof handled)[number], 'key' | 'value' | 'headers'>[]) =>
    read
      .map(({ key, value, headers }) => {
        const [header] = headers;
        return [key, value, header?.value ?? null]
          .map((part) => part?.toString('base64') ?? 'null')
          .join(' ');
      })
      .sort();
  assert.deepEqual(lines(handled), lines(records));
  assertCalm(log);
}

function assertCalm({ lines }: ReturnType<typeof recordingLog>): void {
  assert.deepEqual(
    lines.filter(({ level }) => level === 'warn' || level === 'error'),
    [],
  );
}

async function buryAndReplay(cluster: KafkaCluster): Promise<void> {
  const topic = await newTopic(cluster, { partitions: PARTITIONS, beside: ['dead-letter'] });
  await publish(cluster, topic, numbered(50));
  const failing = newConsumer(cluster, topic, {
    handle: () => Promise.reject(new PermanentError('not yet')),
  });
  assert.equal((await failing.pull()).deadLettered, 50);
  const origins = ['--origins', topic];
  const replay = () => replayWith(cluster, 'SASL_SSL', '--topic', `${topic}.dead-letter`, ...origins);
  const first = await replay();
  assert.deepEqual([first.code, first.stdout], [0, `${topic}\t50\n`], first.stderr);
  const again = await replay();
  assert.deepEqual([again.code, again.stdout], [0, ''], again.stderr);
  const numbers = numbersOf(await readTopic(cluster, topic));
  assert.deepEqual(
    numbers,
    [...upTo(50), ...upTo(50)].sort((a, b) => a - b),
  );
}

/** With the topic and s3 sinks every record comes exactly once, although pulls are killed and overlap. */
export async function exactlyOnce(
  cluster: KafkaCluster,
  { records, kills, calls }: { records: number; kills: number; calls: number },
): Promise<void> {
  const start = await bundledConsumer(cluster);

  test('killed at random moments, topic sink: every record exactly once', () =>
    killTransactional(cluster, start, { records, kills }));

  test('overlapping pulls, topic sink: every record exactly once', () =>
    overlappingPulls(cluster, { records, calls, withinMs: 200 }));

  const bucket = await bucketForTests();

  test('killed at random moments, s3 sink: every record exactly once', () =>
    killIntoBucket(cluster, bucket, start, { records, kills }));

  test('overlapping pulls, s3 sink: every record exactly once', () =>
    overlappingPulls(cluster, { records, calls, withinMs: 200, bucket }));
}

/** Nothing is lost with a plain sink, and no pull moves the offsets of a live member back. */
export async function hardTimes(
  cluster: KafkaCluster,
  { records, kills, rounds }: { records: number; kills: number; rounds: number },
): Promise<void> {
  const start = await bundledConsumer(cluster);

  test('killed at random moments: nothing lost, and little twice', () =>
    killPlain(cluster, start, { records, kills }));

  for (const sink of ['http', 'topic'] as const) {
    test(`beside a live member that comes and goes, ${sink} sink: its offsets never move back`, () =>
      besideLiveMember(cluster, start, { records, rounds, sink }));
  }
}
