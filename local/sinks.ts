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

export const sinkNames = ['postgres'] as const;
export type LocalSink = (typeof sinkNames)[number];

export interface StartedSink {
  /** For consume-batch. */
  variables: Values;
  /** A command that shows what has arrived. */
  look: string;
  stop(): Promise<void>;
}

const USER = 'orders';

/** Starts the server and creates what the sink needs for these topics. */
export async function startSink(_name: LocalSink, consumer: Values): Promise<StartedSink> {
  const why = await withProgress('Fetching PostgreSQL (once)', () => postgresTool.missing());
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
