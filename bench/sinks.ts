/**
 * Compares the way of records from Kafka into PostgreSQL: ours, exactly once, with what one would write by hand around
 * kafkajs, and with COPY of ready rows, which is as fast as the database takes them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { EachBatchHandler } from 'kafkajs';
import type { Client } from 'pg';
import PgClient from 'pg/lib/client.js';
import { from as copyFrom } from 'pg-copy-streams';
import { build } from '../build.ts';
import { insertDdl } from '../functions/consume-batch/sinks/postgres/insert-rows.ts';
import { OFFSETS_DDL } from '../functions/consume-batch/sinks/postgres/stored-offsets.ts';
import { withProgress } from '../local/console.ts';
import { type KafkaCluster, withKafka } from '../local/kafka/cluster.ts';
import { freePorts } from '../local/kafka/ports.ts';
import { environmentOf } from '../local/kafka/sandbox.ts';
import { type Postgres, postgresTool, startPostgres } from '../local/postgres.ts';
import { median, printTable } from './figures.ts';
import { kafkajs } from './kafkajs.ts';

const RECORDS = 100_000;
/** One INSERT a record is slow. */
const FEW = 5_000;
const ROUNDS = 3;
const WAITING = 600;
const CALLS = 15;
const PARTITIONS = 6;
const LOGIN = { user: 'bench', password: 'bench' };
const TABLE = { schema: undefined, table: 'orders' };

type Handler = (event: unknown, context: unknown) => Promise<{ processed: number; more: boolean }>;

export async function run(): Promise<void> {
  const why = await postgresTool.missing();
  if (why) throw new Error(why);
  await withKafka({ tunedFor: 'throughput' }, async (cluster) => {
    const directory = await mkdtemp(join(tmpdir(), 'bench-sinks-'));
    const [port = 0] = await freePorts(1);
    const folder = await mkdtemp(join(tmpdir(), 'bench-postgres-'));
    const database = await startPostgres({ folder, port, ...LOGIN });
    const client: Client = new PgClient({ host: '127.0.0.1', port, database: 'postgres', ...LOGIN });
    try {
      await client.connect();
      for (const statement of [insertDdl(TABLE), OFFSETS_DDL]) await client.query(statement);
      const [bundle] = await build({ functions: ['consume-batch'], outdir: directory });
      const { handler } = createRequire(import.meta.url)(join(bundle?.directory ?? '', 'index.js'));
      await intoPostgres(cluster, { handler, database, client });
      await waitingRecords(cluster, bundle?.directory ?? '', database);
    } finally {
      await client.end();
      await database.stop();
      for (const made of [directory, folder]) await rm(made, { recursive: true, force: true });
    }
  });
}

async function intoPostgres(
  cluster: KafkaCluster,
  { handler, database, client }: { handler: Handler; database: Postgres; client: Client },
): Promise<void> {
  await cluster.createTopic('orders', { partitions: PARTITIONS });
  await cluster.createTopic('orders.dead-letter', { partitions: 1 });
  await withProgress(`Publishing ${RECORDS} records`, () => publish(cluster, 'orders', RECORDS));
  const contestants: [string, number, (round: number) => Promise<unknown>][] = [
    ['COPY of ready rows by pg', RECORDS, () => copy(client)],
    ['postgres sink', RECORDS, () => pullAll(handler, variables(cluster, database))],
    [
      'kafkajs, a multi-row INSERT a batch',
      RECORDS,
      (round) => consume(cluster, `m${round}`, RECORDS, byBatch(client)),
    ],
    ['kafkajs, an INSERT a record', FEW, (round) => consume(cluster, `s${round}`, FEW, byRecord(client))],
  ];
  const rates = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, records, write] of contestants) {
      await client.query('TRUNCATE orders; UPDATE kafka_functions_offsets SET next_offset = 0; CHECKPOINT');
      await withProgress(`${name}, round ${round + 1}`, async () => {
        const started = performance.now();
        await write(round);
        rates.set(name, [...(rates.get(name) ?? []), records / ((performance.now() - started) / 1_000)]);
      });
    }
  }
  const ours = median(rates.get('postgres sink') ?? []);
  printTable(
    ['into PostgreSQL', 'rows/s', 'ours /'],
    [...rates].map(([name, samples]) => [name, median(samples), ours / median(samples)]),
  );
  console.log();
}

async function pullAll(handler: Handler, values: Record<string, string>): Promise<void> {
  while ((await handler({}, contextWith(values))).more);
}

async function copy(client: Client): Promise<void> {
  const rows = function* () {
    for (let n = 0; n < RECORDS; n++) {
      yield `orders\t${n % PARTITIONS}\t${Math.floor(n / PARTITIONS)}\t0\t\\\\x${Buffer.from(`${n}`).toString('hex')}\t${orderJson(n)}\t[]\t2026-11-28T10:00:00Z\n`;
    }
  };
  // One part a batch, as the sink has them.
  const parts = function* () {
    const part: string[] = [];
    for (const row of rows()) {
      part.push(row);
      if (part.length === 2_000) yield part.splice(0).join('');
    }
    yield part.join('');
  };
  await pipeline(Readable.from(parts()), client.query(copyFrom('COPY orders FROM STDIN')));
}

/** From the first batch on: joining a group takes seconds, which are not compared here. */
async function consume(
  cluster: KafkaCluster,
  groupId: string,
  count: number,
  write: (payload: Parameters<EachBatchHandler>[0]) => Promise<void>,
): Promise<void> {
  const consumer = kafkajs(environmentFor(cluster)).consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topic: 'orders', fromBeginning: true });
  let taken = 0;
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachBatch: async (payload) => {
          if (taken >= count) return;
          await write(payload);
          taken += payload.batch.messages.length;
          if (taken >= count) resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
}

function byBatch(client: Client) {
  return async ({ batch: { topic, partition, messages } }: Parameters<EachBatchHandler>[0]) => {
    for (let at = 0; at < messages.length; at += 2_000) {
      const part = messages.slice(at, at + 2_000);
      const values = part.flatMap(({ offset, key, value, timestamp }) => [
        ...[topic, partition, offset, 0, key, value?.toString(), '[]', new Date(Number(timestamp))],
      ]);
      const tuples = part.map(
        (_row, n) => `(${[1, 2, 3, 4, 5, 6, 7, 8].map((column) => `$${n * 8 + column}`)})`,
      );
      await client.query(`INSERT INTO orders VALUES ${tuples.join(',')} ON CONFLICT DO NOTHING`, values);
    }
  };
}

function byRecord(client: Client) {
  return async ({ batch: { topic, partition, messages } }: Parameters<EachBatchHandler>[0]) => {
    for (const { offset, key, value, timestamp } of messages.slice(0, FEW)) {
      await client.query('INSERT INTO orders VALUES ($1, $2, $3, 0, $4, $5, $6, $7) ON CONFLICT DO NOTHING', [
        ...[topic, partition, offset, key, value?.toString(), '[]', new Date(Number(timestamp))],
      ]);
    }
  };
}

/** The whole call, in a warm instance each. */
async function waitingRecords(cluster: KafkaCluster, directory: string, database: Postgres): Promise<void> {
  const rows: [string, number][] = [];
  for (const sink of ['log', 'postgres']) {
    const topic = `waiting-${sink}`;
    await cluster.createTopic(topic, { partitions: PARTITIONS });
    await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1 });
    // An instance of its own, which has read its configuration once.
    const copyOf = createRequire(import.meta.url);
    const script = join(directory, 'index.js');
    delete copyOf.cache[script];
    const { handler } = copyOf(script) as { handler: Handler };
    const values = {
      ...{ ...variables(cluster, database), CONSUME_SINK: sink, LOG_LEVEL: 'error' },
      ...{ KAFKA_GROUP_ID: topic, CONSUME_TOPICS: topic, CONSUME_SINK_TABLE_NAME_FORMAT: 'orders' },
    };
    const times: number[] = [];
    await withProgress(`Pulling ${WAITING} records, ${sink}, ${CALLS} times`, async () => {
      for (let call = 0; call <= CALLS; call++) {
        await publish(cluster, topic, WAITING);
        const started = performance.now();
        const { processed } = await handler({}, contextWith(values));
        if (processed !== WAITING) throw new Error(`${processed} records were pulled`);
        if (call > 0) times.push(performance.now() - started);
      }
    });
    rows.push([sink, median(times)]);
  }
  const [log = 1, postgres = 1] = rows.map(([, ms]) => ms);
  printTable([`${WAITING} waiting records, whole call`, 'ms'], [...rows, ['postgres / log', postgres / log]]);
}

async function publish(cluster: KafkaCluster, topic: string, count: number): Promise<void> {
  const producer = kafkajs(environmentFor(cluster)).producer();
  await producer.connect();
  const size = 900;
  for (let at = 0; at < count; at += size * PARTITIONS) {
    const messages = Array.from({ length: Math.min(size * PARTITIONS, count - at) }, (_, n) => ({
      ...{ key: `${at + n}`, value: orderJson(at + n), partition: n % PARTITIONS },
    }));
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}

function orderJson(n: number): string {
  return `{"id":${n},"customer":"c-${n % 977}","total":"${n / 100}","currency":"EUR","lines":[{"article":"a-${n % 313}","count":${n % 7},"price":"12.50"},{"article":"b-${n % 17}","count":1,"price":"3.10"}],"note":"left at the door"}`;
}

function environmentFor(cluster: KafkaCluster): Record<string, string> {
  return { ...environmentOf(cluster), KAFKA_SASL_MECHANISM: 'PLAIN' };
}

function variables(cluster: KafkaCluster, { url }: Postgres): Record<string, string> {
  return {
    ...environmentFor(cluster),
    KAFKA_GROUP_ID: 'ours',
    CONSUME_TOPICS: 'orders',
    CONSUME_SINK: 'postgres',
    CONSUME_SINK_URL: `${url}?sslmode=disable`,
    CONSUME_SINK_CONNECTION_USER: LOGIN.user,
    CONSUME_SINK_CONNECTION_PASSWORD: LOGIN.password,
    CONSUME_MAX_RECORDS: `${RECORDS}`,
    LOG_LEVEL: 'error',
  };
}

function contextWith(values: Record<string, string>) {
  return {
    getRequestID: () => 'bench',
    getRemainingTimeInMilliSeconds: () => 60_000,
    getUserData: (name: string) => values[name],
  };
}
