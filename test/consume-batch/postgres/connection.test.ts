import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { sinkConfig } from '../../../functions/consume-batch/sinks/open-sink.ts';
import { createCertificateAuthority } from '../../../local/kafka/certificates.ts';
import { postgresTool } from '../../../local/postgres.ts';
import { readConfig } from '../../../src/variables.ts';
import { newTopic } from '../../support/cluster.ts';
import { newConsumer } from '../../support/consumer.ts';
import { failsWith } from '../../support/errors.ts';
import { postgresForTests, sinkVariables } from '../../support/postgres.ts';
import { topicWithTable } from '../../support/postgres-topic.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';

const why = await postgresTool.missing();
const required = {
  CONSUME_SINK: 'postgres',
  CONSUME_SINK_URL: 'postgres://db/shop',
  CONSUME_SINK_CONNECTION_USER: 'u',
  CONSUME_SINK_CONNECTION_PASSWORD: 'pw-of-nobody',
};

describe('the variables of the postgres sink', () => {
  const problems: Record<string, [Record<string, string>, RegExp]> = {
    'no URL': [{ CONSUME_SINK_URL: '' }, /CONSUME_SINK_URL is required/],
    'another database': [{ CONSUME_SINK_URL: 'mysql://db/shop' }, /CONSUME_SINK_URL must be postgres:/],
    'no database': [{ CONSUME_SINK_URL: 'postgres://db' }, /must be postgres:\/\/host:5432\/database/],
    credentials: [
      { CONSUME_SINK_URL: 'postgres://a:b@db/shop' },
      /no credentials.*CONSUME_SINK_CONNECTION_USER/,
    ],
    'TLS without a proof': [
      { CONSUME_SINK_URL: 'postgres://db/shop?sslmode=require' },
      /verify-full, verify-ca, disable/,
    ],
    'another parameter': [{ CONSUME_SINK_URL: 'postgres://db/shop?host=evil' }, /sslmode alone/],
    'no user': [{ CONSUME_SINK_CONNECTION_USER: '' }, /CONSUME_SINK_CONNECTION_USER is required/],
    'two dots': [
      { CONSUME_SINK_TABLE_NAME_FORMAT: 'a.b.{topic}' },
      /TABLE_NAME_FORMAT must be table or schema.table/,
    ],
    'a long name': [{ CONSUME_TOPICS: 't'.repeat(64) }, /more than PostgreSQL's 63 bytes/],
    'upsert without a key': [{ CONSUME_SINK_INSERT_MODE: 'upsert' }, /CONSUME_SINK_PK_FIELDS is required/],
  };
  for (const [name, [variables, message]] of Object.entries(problems)) {
    test(name, () => {
      const all: Record<string, string> = { ...required, ...variables };
      assert.throws(() => readConfig((key) => all[key], sinkConfig), failsWith('CONFIG_INVALID', message));
    });
  }

  test('a dot inside a topic belongs to the table', () => {
    const config = readConfig(
      (key) => ({ ...required, CONSUME_SINK_TABLE_NAME_FORMAT: 'raw.{topic}' })[key],
      sinkConfig,
    );
    assert.ok(config.name === 'postgres');
    assert.deepEqual(config.tableName('shop.orders'), { schema: 'raw', table: 'shop.orders' });
  });
});

describe('TLS to the database', { skip: why ?? false }, () => {
  test('proves authority and name, unless asked otherwise', async () => {
    const cluster = await sharedCluster();
    const authority = await createCertificateAuthority();
    const { chain, key } = await authority.issue({ commonName: 'db', hosts: ['localhost'] });
    const database = await postgresForTests({ tls: { certificate: chain, key } });
    const client = await database.client();
    const pullWith = async (url: string, ca = authority.certificate) => {
      const variables = { CONSUME_SINK_URL: url, ...(ca && { CONSUME_SINK_SSL_CA_PEM: ca }) };
      const it = await topicWithTable({ cluster, database, client }, { variables });
      await it.publish([{ value: '1' }]);
      return it.pull();
    };
    const named = database.url.replace('127.0.0.1', 'localhost');
    assert.equal((await pullWith(named)).processed, 1);
    assert.equal((await pullWith(`${database.url}?sslmode=verify-ca`)).processed, 1);
    const refused = failsWith('SINK_FAILED', /ERR_TLS_CERT_ALTNAME_INVALID|altnames/);
    await assert.rejects(pullWith(database.url), refused);
    await assert.rejects(pullWith(named, ''), failsWith('SINK_FAILED', /CONSUME_SINK_SSL_CA_PEM/));
    const expired = await authority.issue({
      ...{ commonName: 'db', hosts: ['localhost'] },
      notBefore: new Date(Date.now() - 2 * 86_400_000),
      notAfter: new Date(Date.now() - 86_400_000),
    });
    const old = await postgresForTests({ tls: { certificate: expired.chain, key: expired.key } });
    const url = old.url.replace('127.0.0.1', 'localhost');
    await assert.rejects(pullWith(url), failsWith('SINK_FAILED', /expired.*renew the certificate/));
  });

  test('a server without TLS is not written to, unless that was asked for', async () => {
    const cluster = await sharedCluster();
    const database = await postgresForTests();
    const client = await database.client();
    const it = await topicWithTable(
      { cluster, database, client },
      { variables: { CONSUME_SINK_URL: database.url } },
    );
    await it.publish([{ value: '1' }]);
    await assert.rejects(it.pull(), failsWith('SINK_FAILED', /sslmode=disable/));
    assert.ok(sinkVariables(database).CONSUME_SINK_URL?.endsWith('disable'));
  });
});

test('a database with a login of its own is named, and what to do', async () => {
  const cluster = await sharedCluster();
  const topic = await newTopic(cluster, { partitions: 1 });
  // GaussDB's AuthenticationSHA256: the number of SASL, a method, a salt, a token, iterations.
  const question = Buffer.concat([
    Buffer.from([0x52, 0, 0, 0, 88, 0, 0, 0, 10, 0, 0, 0, 2]),
    randomBytes(72),
    Buffer.from([0, 0, 0x27, 0x10]),
  ]);
  const server = createServer((socket) => socket.once('data', () => socket.write(question)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const variables: Record<string, string> = {
    ...{ ...required, CONSUME_SINK_URL: `postgres://127.0.0.1:${port}/shop?sslmode=disable` },
  };
  const sink = readConfig((key) => variables[key], sinkConfig);
  const { pull } = newConsumer(cluster, topic, { sink, pipeline: {} });
  await assert.rejects(
    pull(),
    failsWith('SINK_FAILED', /GaussDB.*password_encryption_type.*CONSUME_SINK=s3/),
  );
  server.close();
});
