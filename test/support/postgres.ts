import { after } from 'node:test';
import type { Client } from 'pg';
import PgClient from 'pg/lib/client.js';
import { type SinkConfig, sinkConfig } from '../../functions/consume-batch/sinks/open-sink.ts';
import { freePorts } from '../../local/kafka/ports.ts';
import { type Postgres, type PostgresOptions, startPostgres } from '../../local/postgres.ts';
import { readConfig } from '../../src/variables.ts';
import { scratchFolder } from './folders.ts';

export const USER = 'tests';

export interface TestPostgres extends Postgres {
  port: number;
  password: string;
  /** With the credentials of a superuser. */
  loginUrl: string;
  /** A connection of the test's own, by default as the superuser. */
  client(login?: { user: string }): Promise<Client>;
}

/** A PostgreSQL of the tests' own, running; gone after them. */
export async function postgresForTests(
  options: Partial<Pick<PostgresOptions, 'tls' | 'settings'>> = {},
): Promise<TestPostgres> {
  const [port = 0] = await freePorts(1);
  const password = `${process.env.TEST_PASSWORD_PREFIX ?? 'pw'}-database`;
  const server = await startPostgres({
    ...{ folder: scratchFolder('postgres'), port, user: USER, password },
    ...options,
  });
  after(() => server.stop());
  const loginUrl = server.url.replace('//', `//${USER}:${password}@`);
  return {
    ...server,
    port,
    password,
    loginUrl,
    async client({ user } = { user: USER }) {
      const client: Client = new PgClient({ host: '127.0.0.1', port, user, password, database: 'postgres' });
      client.on('error', () => {});
      await client.connect();
      after(() => client.end());
      return client;
    },
  };
}

/** The variables of a `postgres` sink without TLS. */
export function sinkVariables({ url, password }: TestPostgres): Record<string, string> {
  return {
    CONSUME_SINK: 'postgres',
    CONSUME_SINK_URL: `${url}?sslmode=disable`,
    CONSUME_SINK_CONNECTION_USER: USER,
    CONSUME_SINK_CONNECTION_PASSWORD: password,
  };
}

/** The sink as those variables and others of one's own configure it. */
export function sinkOf(database: TestPostgres, more: Record<string, string> = {}): SinkConfig {
  const variables = { ...sinkVariables(database), ...more };
  return readConfig((name) => variables[name], sinkConfig);
}
