/**
 * Compares the way of records from Kafka into PostgreSQL: ours, exactly once, with what one would write by hand around
 * kafkajs, and with COPY of ready rows, which is as fast as the database takes them; into a store with bare PUTs.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
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
import { ONCE_DDL } from '../functions/consume-batch/sinks/postgres/once.ts';
import { OFFSETS_DDL } from '../functions/consume-batch/sinks/postgres/stored-offsets.ts';
import { withProgress } from '../local/console.ts';
import { startRuntime } from '../local/functiongraph/runtime.ts';
import { type KafkaCluster, withKafka } from '../local/kafka/cluster.ts';
import { freePorts } from '../local/kafka/ports.ts';
import { environmentOf } from '../local/kafka/sandbox.ts';
import { type Postgres, postgresTool, startPostgres } from '../local/postgres.ts';
import { type S3Proxy, startS3Proxy } from '../local/s3proxy.ts';
import { createLog } from '../src/log.ts';
import { Store } from '../src/object-storage/store.ts';
import { Secret } from '../src/secret.ts';
import { median, printTable } from './figures.ts';
import { kafkajs } from './kafkajs.ts';

const RECORDS = 100_000;
/** 50 MB. */
const LARGE = 50_000;
/** One INSERT a record is slow. */
const FEW = 5_000;
const ROUNDS = 3;
const WAITING = 600;
const CALLS = 15;
const PARTITIONS = 6;
const MEMORY_BYTES = 64 * 1024 * 1024;
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
      const tables = [TABLE, { ...TABLE, table: 'elsewhere' }].map(insertDdl);
      for (const statement of [...tables, OFFSETS_DDL, ...ONCE_DDL]) await client.query(statement);
      const [bundle] = await build({ functions: ['consume-batch'], outdir: directory });
      const { handler } = createRequire(import.meta.url)(join(bundle?.directory ?? '', 'index.js'));
      await intoPostgres(cluster, { handler, database, client });
      await onceOnly(cluster, bundle?.directory ?? '', { database, client });
      await waitingRecords(cluster, bundle?.directory ?? '', database);
      await intoStore(cluster, bundle?.directory ?? '', { topic: 'orders', size: '0.2 KB' });
      await cluster.createTopic('kilobytes', { partitions: PARTITIONS });
      await cluster.createTopic('kilobytes.dead-letter', { partitions: 1 });
      await publish(cluster, 'kilobytes', LARGE, (n) => `{"n":${n},"text":"${'x'.repeat(1_000)}"}`);
      await intoStore(cluster, bundle?.directory ?? '', { topic: 'kilobytes', size: '1 KB' });
      await memory(cluster, bundle?.directory ?? '', database);
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

/** The same records, each with an idempotency key of its own. */
async function onceOnly(
  cluster: KafkaCluster,
  directory: string,
  { database, client }: { database: Postgres; client: Client },
): Promise<void> {
  await cluster.createTopic('requests', { partitions: PARTITIONS });
  await cluster.createTopic('requests.dead-letter', { partitions: 1 });
  await withProgress(`Publishing ${RECORDS} records with keys`, () =>
    publish(cluster, 'requests', RECORDS, orderJson, (n) => ({
      'idempotency-key': randomUUID(),
      'idempotency-scope': `shop/0/${createHash('md5').update(`${n}`).digest('hex')}`,
    })),
  );
  const rates: Record<string, number[]> = { false: [], true: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [deduplicate, samples] of Object.entries(rates)) {
      const { handler } = freshInstance(directory);
      await client.query(
        'TRUNCATE orders, kafka_functions_once; UPDATE kafka_functions_offsets SET next_offset = 0; CHECKPOINT',
      );
      const values = {
        ...{ ...variables(cluster, database), KAFKA_GROUP_ID: 'requests', CONSUME_TOPICS: 'requests' },
        ...{ CONSUME_SINK_TABLE_NAME_FORMAT: 'orders', CONSUME_SINK_DEDUPLICATE: deduplicate },
      };
      await withProgress(`CONSUME_SINK_DEDUPLICATE=${deduplicate}, round ${round + 1}`, async () => {
        const started = performance.now();
        await pullAll(handler, values);
        samples.push(RECORDS / ((performance.now() - started) / 1_000));
      });
    }
  }
  const on = median(rates.true ?? []);
  printTable(
    ['records with keys, into PostgreSQL', 'rows/s', 'true /'],
    Object.entries(rates).map(([name, samples]) => [
      `CONSUME_SINK_DEDUPLICATE=${name}`,
      median(samples),
      on / median(samples),
    ]),
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

/** Without compression, whose cost is gzip's own. */
async function intoStore(
  cluster: KafkaCluster,
  directory: string,
  { topic, size }: { topic: string; size: string },
): Promise<void> {
  const server = await startS3Proxy();
  try {
    const rates: { ours: number[]; bare: number[] } = { ours: [], bare: [] };
    for (let round = 0; round < ROUNDS; round++) {
      const prefix = `${topic}-${round}`;
      const values = {
        ...storeVariables(cluster, server),
        ...{ KAFKA_GROUP_ID: prefix, CONSUME_TOPICS: topic },
      };
      const template = `${prefix}/{topic}/{partition}/{start_offset}`;
      const { handler } = freshInstance(directory);
      await withProgress(`s3 sink, ${size}, round ${round + 1}`, async () => {
        const started = performance.now();
        await pullAll(handler, { ...values, CONSUME_SINK_FILE_NAME_TEMPLATE: template });
        const seconds = (performance.now() - started) / 1_000;
        rates.ours.push(megabytes(objectsOf(server, prefix)) / seconds);
      });
      const ready = objectsOf(server, prefix).map(contentOf);
      await withProgress(`PUT of ready objects, round ${round + 1}`, async () => {
        const started = performance.now();
        await putAll(server, ready, `bare${round}`);
        rates.bare.push(megabytes(ready.map(({ bytes }) => bytes)) / ((performance.now() - started) / 1_000));
      });
    }
    printTable(
      [`into S3Proxy, records of ${size}, no compression`, 'MB/s', 'ours /'],
      [
        ['PUT of ready objects', median(rates.bare), median(rates.ours) / median(rates.bare)],
        ['s3 sink', median(rates.ours), 1],
      ],
    );
    console.log();
  } finally {
    await server.stop();
  }
}

/** Sizes in bytes. */
function objectsOf({ directory, bucket }: S3Proxy, prefix: string): number[] {
  return readdirSync(join(directory, bucket, prefix), { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(directory, bucket, prefix, name)))
    .filter((file) => file.isFile())
    .map(({ size }) => size);
}

function contentOf(bytes: number) {
  const body = Buffer.alloc(bytes, 'x');
  const hash = (name: string, as: 'hex' | 'base64') => createHash(name).update(body).digest(as);
  return { chunks: [body], bytes, sha256: hash('sha256', 'hex'), md5: hash('md5', 'base64') };
}

async function putAll(
  { endpoint, bucket, region, accessKeyId, secretAccessKey }: S3Proxy,
  contents: readonly ReturnType<typeof contentOf>[],
  prefix: string,
): Promise<void> {
  const key = { id: accessKeyId, secret: new Secret(secretAccessKey), token: undefined };
  const config = { endpoint, bucket, region, pathStyle: true, accessKey: key, template: '' };
  const store = new Store({ ...config, fields: ['value'], compression: 'none' }, key, createLog('error'));
  const put = (content: (typeof contents)[number], at: number) =>
    store.put({ ...content, name: `${prefix}/${at}`, compression: 'none', to: 0 }, Date.now() + 60_000);
  // As many side by side as a pull has partitions.
  for (let at = 0; at < contents.length; at += PARTITIONS) {
    await Promise.all(contents.slice(at, at + PARTITIONS).map((content, n) => put(content, at + n)));
  }
  store.close();
}

function megabytes(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0) / 1e6;
}

/** In a process of its own: what it takes at its peak beyond what it has after a small pull. */
async function memory(cluster: KafkaCluster, directory: string, database: Postgres): Promise<void> {
  const server = await startS3Proxy();
  const rows: [string, number, number, number][] = [];
  const sinks = { postgres: variables(cluster, database), s3: storeVariables(cluster, server) };
  try {
    for (const [name, values] of Object.entries(sinks)) {
      const runtime = startRuntime({
        directory,
        functionName: 'consume-batch',
        timeoutMs: 120_000,
        userData: {
          ...values,
          KAFKA_GROUP_ID: `memory-${name}`,
          CONSUME_SINK_TABLE_NAME_FORMAT: 'elsewhere',
        },
        encryptedUserData: {},
      });
      const pull = async (maxRecords: number) => {
        const result = await runtime.invoke({ maxRecords });
        if (!result.ok) throw new Error(result.error.errorMessage);
      };
      await pull(1_000);
      const base = kibibytes(runtime.pid(), 'VmRSS');
      await pull(RECORDS);
      const peak = kibibytes(runtime.pid(), 'VmHWM');
      rows.push([name, base / 1_024, peak / 1_024, (peak - base) / 1_024 / (MEMORY_BYTES / 1_024 / 1_024)]);
      await runtime.stop();
    }
  } finally {
    await server.stop();
  }
  printTable(['memory of a pull, MiB', 'before', 'at its peak', 'of CONSUME_MAX_BYTES'], rows);
}

function kibibytes(pid: number | undefined, figure: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${figure}:\\s+(\\d+)`).exec(status)?.[1]);
}

function storeVariables(cluster: KafkaCluster, server: S3Proxy): Record<string, string> {
  return {
    ...environmentFor(cluster),
    CONSUME_TOPICS: 'orders',
    CONSUME_SINK: 's3',
    CONSUME_SINK_URL: server.endpoint,
    CONSUME_SINK_S3_BUCKET_NAME: server.bucket,
    CONSUME_SINK_S3_REGION: server.region,
    CONSUME_SINK_S3_PATH_STYLE_ACCESS_ENABLED: 'true',
    CONSUME_SINK_AWS_ACCESS_KEY_ID: server.accessKeyId,
    CONSUME_SINK_AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    CONSUME_SINK_FILE_COMPRESSION_TYPE: 'none',
    CONSUME_MAX_RECORDS: `${RECORDS}`,
    CONSUME_MAX_BYTES: `${MEMORY_BYTES}`,
    LOG_LEVEL: 'error',
  };
}

/** An instance of its own, which has read its configuration once. */
function freshInstance(directory: string): { handler: Handler } {
  const load = createRequire(import.meta.url);
  for (const file of Object.keys(load.cache)) if (file.startsWith(directory)) delete load.cache[file];
  return load(join(directory, 'index.js'));
}

/** The whole call, in a warm instance each. */
async function waitingRecords(cluster: KafkaCluster, directory: string, database: Postgres): Promise<void> {
  const rows: [string, number][] = [];
  for (const sink of ['log', 'postgres']) {
    const topic = `waiting-${sink}`;
    await cluster.createTopic(topic, { partitions: PARTITIONS });
    await cluster.createTopic(`${topic}.dead-letter`, { partitions: 1 });
    const { handler } = freshInstance(directory);
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

async function publish(
  cluster: KafkaCluster,
  topic: string,
  count: number,
  valueOfRecord = orderJson,
  headersOfRecord: (n: number) => Record<string, string> = () => ({}),
): Promise<void> {
  const producer = kafkajs(environmentFor(cluster)).producer();
  await producer.connect();
  const size = 900;
  for (let at = 0; at < count; at += size * PARTITIONS) {
    const messages = Array.from({ length: Math.min(size * PARTITIONS, count - at) }, (_, n) => ({
      ...{ key: `${at + n}`, value: valueOfRecord(at + n), partition: n % PARTITIONS },
      headers: headersOfRecord(at + n),
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
