/** A reader of a topic, in a process of its own: prints its records a second, and its memory in MiB. */
import { consumeConfig } from '../functions/consume-batch/config.ts';
import { Consumer } from '../functions/consume-batch/consume.ts';
import { clientOptions } from '../src/kafka/connection/client-options.ts';
import { connectionConfig } from '../src/kafka/connection/config.ts';
import { Connection } from '../src/kafka/connection/connection.ts';
import { producerConfig } from '../src/kafka/produce/config.ts';
import { Producer } from '../src/kafka/produce/producer.ts';
import { createLog } from '../src/log.ts';
import { readConfig } from '../src/variables.ts';
import { kafkajs, takeBatches } from './kafkajs.ts';

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
  const handleRecord = () => {
    handled++;
  };
  const consumer = new Consumer({
    connection,
    producer,
    config: config.consume,
    log,
    pipeline: { handleRecord },
  });
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
      unreadable: 'stop',
      checkCrcs: CHECK !== 'false',
      maxRecords: Number.MAX_SAFE_INTEGER,
      maxBytes: MAX_BYTES === undefined ? Number.MAX_SAFE_INTEGER : Number(MAX_BYTES),
      waitMs: 0,
    },
    Date.now() + 120_000,
  );
  if (MAX_BYTES === undefined && handled !== records) throw new Error(`${handled} records were handled`);
  const seconds = (performance.now() - started) / 1_000;
  return { rate: handled / seconds, base, peak: process.resourceUsage().maxRSS / 1024 };
}

async function eachBatch() {
  const consumer = kafkajs(process.env).consumer({ groupId: `bench-${process.pid}` });
  const base = process.memoryUsage.rss() / MIB;
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let firstFetch = 0;
  consumer.on(consumer.events.FETCH_START, () => {
    firstFetch ||= performance.now();
  });
  await takeBatches(consumer, records);
  const seconds = (performance.now() - firstFetch) / 1_000;
  return { rate: records / seconds, base, peak: process.resourceUsage().maxRSS / 1024 };
}
