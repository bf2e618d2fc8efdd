/**
 * Publishes or reads records with KafkaJS and its codecs; one JSON line a record, bytes in base64.
 *
 * kafkajs.cjs publish <topic> <compression>   records on stdin
 * kafkajs.cjs read <topic> <count>            records on stdout
 */
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const BATCH_BYTES = 900 * 1024;
const [action, topic, argument] = process.argv.slice(2);
const installed = (name) => require(join(process.env.MODULES, name));
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = installed('kafkajs');
const lz4 = new (installed('kafkajs-lz4'))().codec;
CompressionCodecs[CompressionTypes.LZ4] = lz4;
CompressionCodecs[CompressionTypes.Snappy] = installed('kafkajs-snappy');

const kafka = new Kafka({
  brokers: process.env.BOOTSTRAP.split(','),
  ssl: { ca: readFileSync(process.env.CA) },
  sasl: {
    mechanism: 'scram-sha-512',
    username: process.env.SASL_USERNAME,
    password: process.env.SASL_PASSWORD,
  },
  logLevel: logLevel.NOTHING,
  connectionTimeout: 10_000,
});
const decoded = (text) => (text === null ? null : Buffer.from(text, 'base64'));
const encoded = (bytes) => bytes?.toString('base64') ?? null;

async function publish() {
  const lines = readFileSync(0, 'utf8').trim().split('\n');
  const messages = lines.map((line) => {
    const { key, value, headers } = JSON.parse(line);
    const gathered = {};
    for (const [name, data] of headers) gathered[name] = [...(gathered[name] ?? []), decoded(data)];
    return { partition: 0, key: decoded(key), value: decoded(value), headers: gathered };
  });
  const producer = kafka.producer({ createPartitioner: () => () => 0 });
  await producer.connect();
  // One send is one batch, and a batch may not be larger than the topic lets it be.
  for (const batch of batches(messages)) {
    await producer.send({ topic, messages: batch, compression: CompressionTypes[names[argument]] });
  }
  await producer.disconnect();
}

function batches(messages) {
  const all = [[]];
  let bytes = 0;
  for (const message of messages) {
    bytes += message.value?.length ?? 0;
    if (bytes > BATCH_BYTES) {
      all.push([]);
      bytes = 0;
    }
    all.at(-1).push(message);
  }
  return all;
}

const names = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', lz4: 'LZ4' };

async function read() {
  const consumer = kafka.consumer({ groupId: `interop-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let left = Number(argument);
  await new Promise((resolve, reject) => {
    const eachMessage = async ({ message: { key, value, headers } }) => {
      const pairs = Object.entries(headers).flatMap(([name, data]) =>
        [data].flat().map((one) => [name, encoded(one)]),
      );
      if (left > 0) console.log(JSON.stringify({ key: encoded(key), value: encoded(value), headers: pairs }));
      if (--left === 0) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
}

(action === 'publish' ? publish() : read()).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
