/** A destination of one's own for `npm start -- --sink`: the real server, beside Kafka. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client, ClientConfig } from 'pg';
import PgClient from 'pg/lib/client.js';
import { ddl } from '../functions/consume-batch/sinks/postgres/ddl.ts';
import { tableConfig } from '../src/postgres/config.ts';
import { readConfig } from '../src/variables.ts';
import { withProgress } from './console.ts';
import type { Values } from './function-variables.ts';
import { freePorts } from './kafka/ports.ts';
import { postgresTool, startPostgres } from './postgres.ts';
import { startS3Proxy } from './s3proxy.ts';

export interface StartedSink {
  /** For consume-batch and the check. */
  variables: Values;
  /** A command that shows what has arrived. */
  look: string;
  stop(): Promise<void>;
}

const USER = 'orders';

const sinks = { postgres: postgresSink, s3: storeSink };
export type LocalSink = keyof typeof sinks;
export const sinkNames = Object.keys(sinks) as LocalSink[];

/** Starts the server, and creates what the sink needs for the topics of `consumer`, which are its variables. */
export function startSink(name: LocalSink, consumer: Values): Promise<StartedSink> {
  return sinks[name](consumer);
}

async function postgresSink(consumer: Values): Promise<StartedSink> {
  const why = await withProgress('Fetching PostgreSQL (24 MB, once)', () => postgresTool.missing());
  if (why) throw new Error(`--sink postgres: ${why}`);
  const folder = mkdtempSync(join(tmpdir(), 'kafka-functions-postgres-'));
  // Also if a signal ends the process during the start.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const password = randomBytes(12).toString('base64url');
  const [port = 0] = await freePorts(1);
  const server = await withProgress('Starting PostgreSQL', () =>
    startPostgres({ folder, port, user: USER, password }),
  );
  await createTables({ host: '127.0.0.1', port, user: USER, password, database: 'postgres' }, consumer);
  return {
    variables: {
      CONSUME_SINK: 'postgres',
      CONSUME_SINK_URL: `${server.url}?sslmode=disable`,
      CONSUME_SINK_CONNECTION_USER: USER,
      CONSUME_SINK_CONNECTION_PASSWORD: password,
    },
    look: 'npm run sink -- look',
    stop: () => server.stop(),
  };
}

async function createTables(login: ClientConfig, consumer: Values): Promise<void> {
  const client: Client = new PgClient(login);
  await client.connect();
  try {
    const { tables, topics } = readConfig(
      (name) => consumer[name],
      (variables) => ({ tables: tableConfig(variables), topics: variables.list('CONSUME_TOPICS') }),
    );
    for (const statement of ddl(tables, topics)) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function storeSink(): Promise<StartedSink> {
  const server = await withProgress('Starting S3Proxy', () => startS3Proxy());
  const folder = join(server.directory, server.bucket);
  return {
    variables: {
      CONSUME_SINK: 's3',
      CONSUME_SINK_URL: server.endpoint,
      CONSUME_SINK_S3_BUCKET_NAME: server.bucket,
      CONSUME_SINK_S3_REGION: server.region,
      CONSUME_SINK_S3_PATH_STYLE_ACCESS_ENABLED: 'true',
      CONSUME_SINK_AWS_ACCESS_KEY_ID: server.accessKeyId,
      CONSUME_SINK_AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    },
    // Each object is a file, compressed.
    look: `find ${folder} -name '*.gz' | sort | xargs -n 1 sh -c 'echo "$0"; gzip -dc "$0"'`,
    stop: () => server.stop(),
  };
}
