import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { freePorts } from '../../../local/kafka/ports.ts';
import { postgresTool } from '../../../local/postgres.ts';
import { scratchFolder } from '../../support/folders.ts';
import { ofRequest } from '../../support/idempotency.ts';
import { postgresForTests, type TestPostgres, USER } from '../../support/postgres.ts';
import { topicWithTable } from '../../support/postgres-topic.ts';
import { numbered } from '../../support/records.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';
import { pgbouncer } from '../../support/tools.ts';

const why = (await postgresTool.missing()) ?? (await pgbouncer.missing());

test('through PgBouncer, which gives each transaction another connection', {
  skip: why ?? false,
}, async () => {
  const cluster = await sharedCluster();
  const database = await postgresForTests();
  const client = await database.client();
  const port = await startPgBouncer(database);
  const CONSUME_SINK_URL = `postgres://127.0.0.1:${port}/postgres?sslmode=disable`;
  const upsert = { CONSUME_SINK_INSERT_MODE: 'upsert', CONSUME_SINK_PK_FIELDS: 'n' };
  for (const setting of [
    { variables: { CONSUME_SINK_URL, CONSUME_SINK_DEDUPLICATE: 'true' } },
    {
      variables: { CONSUME_SINK_URL, ...upsert },
      table: 'CREATE TABLE {table} (n int PRIMARY KEY CHECK (n >= 0))',
    },
  ]) {
    const it = await topicWithTable({ cluster, database, client }, { partitions: 3, ...setting });
    const repeated = numbered(500).map((message) => ofRequest(message, { key: message.key }));
    const records = 'table' in setting ? numbered(500) : [...repeated, ...repeated];
    await it.publish([...records, { value: '{"n":-1}' }, { value: '{' }]);
    const answers = await Promise.all([it.pull(), it.another().pull()]);
    const sum = (count: 'processed' | 'deadLettered') =>
      answers.reduce((all, answer) => all + answer[count], 0);
    const isUpsert = 'table' in setting;
    assert.deepEqual([sum('processed'), sum('deadLettered')], isUpsert ? [500, 2] : [1_001, 1]);
    assert.equal((await it.query('SELECT 1 FROM {table}')).length, isUpsert ? 500 : 501);
  }
});

/** In transaction mode, with one connection to the server more than it has to have. */
async function startPgBouncer({ port: serverPort, password }: TestPostgres): Promise<number> {
  const folder = scratchFolder('pgbouncer');
  const [port = 0] = await freePorts(1);
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const users = file('users.txt', `"${USER}" "${password}"\n`);
  const settings = file(
    'pgbouncer.ini',
    [
      ...['[databases]', `postgres = host=127.0.0.1 port=${serverPort}`, '[pgbouncer]'],
      ...[
        'listen_addr = 127.0.0.1',
        `listen_port = ${port}`,
        'unix_socket_dir =',
        'auth_type = scram-sha-256',
      ],
      ...[`auth_file = ${users}`, 'pool_mode = transaction', 'default_pool_size = 2'],
    ].join('\n'),
  );
  // It refuses to run as root.
  const isRoot = process.getuid?.() === 0;
  const nobody = isRoot ? { uid: 65_534, gid: 65_534 } : {};
  if (isRoot) for (const path of [folder, users, settings]) chownSync(path, 65_534, 65_534);
  chmodSync(folder, 0o755);
  const server = spawn(pgbouncer.path, [settings], { ...nobody, stdio: ['ignore', 'ignore', 'pipe'] });
  after(() => server.kill('SIGKILL'));
  let said = '';
  for await (const line of server.stderr) {
    said += line;
    if (said.includes('process up')) break;
  }
  assert.match(said, /process up/);
  server.stderr.resume();
  return port;
}
