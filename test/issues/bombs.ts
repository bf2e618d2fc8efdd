/** A pull over a topic of bombs, in a process of its own: says what it read, what it skipped, and its memory. */
import { readFileSync } from 'node:fs';
import { Consumer } from '../../functions/consume-batch/consume.ts';
import { toFailure } from '../../src/errors.ts';
import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import { Producer } from '../../src/kafka/produce/producer.ts';
import { consumeDefaults, pullDefaults } from '../support/consumer.ts';
import { recordingLog } from '../support/log.ts';
import { producerDefaults } from '../support/producer.ts';

const { servers, topic, unreadable } = JSON.parse(readFileSync(0, 'utf8'));
const [host = '', port] = servers.split(':');
const log = recordingLog();
const connection = new Connection(
  clientOptions({
    bootstrapServers: [{ host, port: Number(port) }],
    securityProtocol: 'PLAINTEXT',
    sasl: undefined,
    ssl: undefined,
    clientId: 'bombs',
    requestTimeout: undefined,
    connectionTimeout: undefined,
  }),
  log,
);
let handled = 0;
const consumer = new Consumer({
  connection,
  producer: new Producer(connection, producerDefaults, log),
  config: { ...consumeDefaults, deadLetterTopic: undefined },
  log,
  pipeline: { handleRecord: () => void handled++ },
});
await connection.open(Date.now() + 10_000);
const base = process.memoryUsage.rss();
const config = { ...pullDefaults, groupId: `${topic}-${unreadable}`, topics: [topic], unreadable };
const answer = await consumer.pull({}, config, Date.now() + 30_000).catch((error: unknown) => {
  const { code, message } = toFailure(error);
  return { code, message };
});
const skipped = log.lines
  .filter(({ message }) => message.includes('was skipped'))
  .map(({ fields }) => fields);
console.log(
  JSON.stringify({ answer, handled, skipped, grownBytes: process.resourceUsage().maxRSS * 1024 - base }),
);
connection.close();
