/** `npm run records -- orders`: prints a topic's records, with the fetcher of the pull. It changes nothing. */
import { once } from 'node:events';
import { sleep } from '../../src/deadline.ts';
import { toFailure } from '../../src/errors.ts';
import { clientOptions } from '../../src/kafka/connection/client-options.ts';
import { connectionConfig } from '../../src/kafka/connection/config.ts';
import { Connection } from '../../src/kafka/connection/connection.ts';
import { createLog, type Log } from '../../src/log.ts';
import { readConfig } from '../../src/variables.ts';
import { type RecordsArguments, recordsArguments, USAGE } from './arguments.ts';
import { recordLine } from './format.ts';
import { readEnds, readPositions, readRecords } from './read-topic.ts';

const POLL_MS = 250;

// The reader may close the pipe: `npm run -s records -- orders | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.on('SIGINT', () => process.exit(process.exitCode ?? 0));

await main();

async function main(): Promise<void> {
  let wanted: RecordsArguments | undefined;
  try {
    wanted = recordsArguments();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  if (!wanted) return console.log(USAGE);
  try {
    await print(wanted);
  } catch (error) {
    const { code, message } = toFailure(error);
    if (code === 'INTERNAL') createLog('error').error(message, { error });
    else console.error(`${code}: ${message}`);
    if (!process.env.KAFKA_BOOTSTRAP_SERVERS) {
      console.error('`. .kafka-functions/env` sets them for the Kafka of npm start.');
    }
    process.exitCode = 1;
  }
}

async function print(wanted: RecordsArguments): Promise<void> {
  const config = readConfig((name) => process.env[name], connectionConfig);
  // stdout is for records only.
  const log = createLog('warn');
  const connection = new Connection(clientOptions(config), log);
  try {
    await printFrom(connection, wanted, log);
  } finally {
    connection.close();
  }
}

async function printFrom(
  connection: Connection,
  { topic, partition, from, count, follow, format }: RecordsArguments,
  log: Log,
): Promise<void> {
  let positions = await readPositions(connection, { topic, partition, from });
  let left = count;
  for (;;) {
    for await (const record of readRecords(connection, positions, log)) {
      if (!process.stdout.write(`${recordLine(record, format)}\n`)) await once(process.stdout, 'drain');
      left -= 1;
      if (left === 0) return;
    }
    if (!follow) return;
    const read = positions.map((position) => ({
      ...position,
      offset: Math.max(position.offset, position.end),
    }));
    positions = await readEnds(connection, read);
    if (positions.every(({ offset, end }) => offset >= end)) await sleep(POLL_MS);
  }
}
