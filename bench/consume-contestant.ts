/** One reader of a topic, in a process of its own: prints its records a second, and its memory in MiB. */
import { readFileSync } from 'node:fs';
import { Kafka, logLevel } from 'kafkajs';
import { Consumer } from '../functions/consume-batch/consume.ts';
import { connectionConfig, consumeConfig, producerConfig } from '../src/config.ts';
import { clientOptions } from '../src/kafka/client-options.ts';
import { Connection } from '../src/kafka/connection.ts';
import { Producer } from '../src/kafka/producer.ts';
import { createLog } from '../src/log.ts';
import { readConfig } from '../src/variables.ts';

const MIB = 1024 * 1024;
const [name, topic = '', count = '0'] = process.argv.slice(2);
const records = Number(count);
const result = name === 'ours' ? await pull() : await eachBatch();
console.log(JSON.stringify(result));
process.exit(0);

async function pull() {
  const config = readConfig(
    (variable) => process.env[variable],
    (variables) => ({
      connection: connectionConfig(variables),
      consume: consumeConfig(variables),
      producer: producerConfig(variables),
    }),
  );
  const log = createLog('error');
  const connection = new Connection(clientOptions(config.connection), log);
  const producer = new Producer(connection, config.producer, log);
  let handled = 0;
  const handle = () => {
    handled++;
  };
  const consumer = new Consumer({ connection, producer, config: config.consume, log, handle });
  await connection.open(Date.now() + 10_000);
  const base = process.memoryUsage.rss() / MIB;
  const { MAX_BYTES, CHECK } = process.env;
  const started = performance.now();
  await consumer.pull(
    {},
    {
      groupId: `bench-${process.pid}`,
      topics: [topic],
      autoOffsetReset: 'earliest',
      isolationLevel: 'read_committed',
      checkCrcs: CHECK !== 'false',
      maxRecords: Number.MAX_SAFE_INTEGER,
      maxBytes: MAX_BYTES === undefined ? Number.MAX_SAFE_INTEGER : Number(MAX_BYTES),
    },
    Date.now() + 120_000,
  );
  if (MAX_BYTES === undefined && handled !== records) throw new Error(`${handled} records were handled`);
  const seconds = (performance.now() - started) / 1_000;
  return { rate: handled / seconds, base, peak: process.resourceUsage().maxRSS / 1024 };
}

async function eachBatch() {
  const { KAFKA_BOOTSTRAP_SERVERS = '', KAFKA_SASL_USERNAME = '', KAFKA_SASL_PASSWORD = '' } = process.env;
  const kafka = new Kafka({
    brokers: KAFKA_BOOTSTRAP_SERVERS.split(','),
    ssl: { ca: readFileSync(process.env.KAFKA_SSL_CA_LOCATION ?? '', 'utf8') },
    sasl: { mechanism: 'plain', username: KAFKA_SASL_USERNAME, password: KAFKA_SASL_PASSWORD },
    logLevel: logLevel.NOTHING,
    connectionTimeout: 10_000,
  });
  const consumer = kafka.consumer({ groupId: `bench-${process.pid}` });
  const base = process.memoryUsage.rss() / MIB;
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let firstFetch = 0;
  consumer.on(consumer.events.FETCH_START, () => {
    firstFetch ||= performance.now();
  });
  let handled = 0;
  await new Promise<void>((resolve, reject) => {
    const run = consumer.run({
      eachBatch: async ({ batch }) => {
        handled += batch.messages.length;
        if (handled >= records) resolve();
      },
    });
    run.catch(reject);
  });
  const seconds = (performance.now() - firstFetch) / 1_000;
  return { rate: handled / seconds, base, peak: process.resourceUsage().maxRSS / 1024 };
}
