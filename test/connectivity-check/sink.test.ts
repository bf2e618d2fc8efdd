import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { faultIds, stageOf } from '../../functions/connectivity-check/faults.ts';
import { exitCode } from '../../functions/connectivity-check/formats/exit-code.ts';
import { ddl } from '../../functions/consume-batch/sinks/postgres/ddl.ts';
import { createCertificateAuthority } from '../../local/kafka/certificates.ts';
import { postgresTool } from '../../local/postgres.ts';
import { tableConfig } from '../../src/postgres/config.ts';
import { readConfig } from '../../src/variables.ts';
import { checkWith, stageAt, type Variables, variablesFor } from '../support/check.ts';
import { newTopic } from '../support/cluster.ts';
import { startBannerServer, unusedPort } from '../support/faults/servers.ts';
import { postgresForTests, sinkVariables } from '../support/postgres.ts';
import { bucketForTests } from '../support/s3.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const why = await postgresTool.missing();
const cluster = await sharedCluster();
const authority = await createCertificateAuthority();
const { chain, key } = await authority.issue({ commonName: 'db', hosts: ['localhost'] });
const database = await postgresForTests({ tls: { certificate: chain, key } });
const client = await database.client();
const bucket = await bucketForTests();

const upsert = { CONSUME_SINK_INSERT_MODE: 'upsert', CONSUME_SINK_PK_FIELDS: 'id' };
const once: Record<string, string> = { CONSUME_SINK_DEDUPLICATE: 'true' };
const sqlFor = (topic: string, variables: Record<string, string> = {}) =>
  ddl(
    readConfig((name) => variables[name], tableConfig),
    [topic],
  ).join(' ');

interface Row {
  topic?: string;
  sql?: string;
  variables?: Variables | (() => Promise<Variables>);
  fault: string;
  evidence: RegExp;
}

const rows: Record<string, Row> = {
  'no such name': {
    variables: { CONSUME_SINK_URL: 'postgres://db.invalid/shop' },
    fault: 'SINK_DNS',
    evidence: /ENOTFOUND/,
  },
  'nobody listens': {
    variables: async () => ({ CONSUME_SINK_URL: `postgres://127.0.0.1:${await unusedPort()}/shop` }),
    fault: 'SINK_TCP',
    evidence: /ECONNREFUSED/,
  },
  'something else answers': {
    variables: async () => {
      const { port, close } = await startBannerServer('220 mail\r\n');
      after(close);
      return { CONSUME_SINK_URL: `postgres://127.0.0.1:${port}/shop` };
    },
    fault: 'SINK_TLS',
    evidence: /SSL/,
  },
  'an authority that nobody trusts': {
    variables: { CONSUME_SINK_URL: `postgres://localhost:${database.port}/postgres` },
    fault: 'SINK_TLS',
    evidence: /SELF_SIGNED|UNABLE/,
  },
  'another name than in the certificate': {
    variables: { CONSUME_SINK_URL: database.url, CONSUME_SINK_SSL_CA_PEM: authority.certificate },
    fault: 'SINK_TLS',
    evidence: /ALTNAME/,
  },
  'a wrong password': {
    variables: { CONSUME_SINK_CONNECTION_PASSWORD: 'pw-wrong' },
    fault: 'SINK_LOGIN',
    evidence: /password authentication failed/,
  },
  'no such database': {
    variables: { CONSUME_SINK_URL: `postgres://127.0.0.1:${database.port}/nowhere?sslmode=disable` },
    fault: 'SINK_MISSING',
    evidence: /"nowhere" does not exist/,
  },
  'no table': { topic: 'none', fault: 'SINK_MISSING', evidence: /no table "none"/ },
  'no table of keys': {
    topic: 'fine',
    variables: once,
    fault: 'SINK_MISSING',
    evidence: /no table kafka_functions_once/,
  },
  'no privilege to clean the table of keys': {
    topic: 'fine',
    sql: `${sqlFor('fine', once)} CREATE USER keeper PASSWORD '${database.password}'; GRANT ALL ON kafka_functions_offsets, fine TO keeper; GRANT SELECT, INSERT ON kafka_functions_once TO keeper`,
    variables: { ...once, CONSUME_SINK_CONNECTION_USER: 'keeper' },
    fault: 'SINK_FORBIDDEN',
    evidence: /lacks DELETE on kafka_functions_once/,
  },
  'no privilege': {
    topic: 'closed',
    sql: `${sqlFor('closed')} CREATE USER weak PASSWORD '${database.password}'; GRANT ALL ON kafka_functions_offsets TO weak; GRANT SELECT ON closed TO weak`,
    variables: { CONSUME_SINK_CONNECTION_USER: 'weak' },
    fault: 'SINK_FORBIDDEN',
    evidence: /lacks INSERT on "closed"/,
  },
  'no column of ours': {
    topic: 'other',
    sql: 'CREATE TABLE other (id int PRIMARY KEY)',
    fault: 'SINK_MISMATCH',
    evidence: /no column topic, partition/,
  },
  'a key that only holds at the end of a transaction': {
    topic: 'late',
    sql: 'CREATE TABLE late (id int PRIMARY KEY DEFERRABLE)',
    variables: upsert,
    fault: 'SINK_MISMATCH',
    evidence: /no unique key of id/,
  },
  'no key for an upsert': {
    topic: 'keyless',
    sql: 'CREATE TABLE keyless (id int, a int)',
    variables: upsert,
    fault: 'SINK_MISMATCH',
    evidence: /no unique key of id/,
  },
};

describe('the rung of the sink', { skip: why ?? false }, () => {
  const checkOf = (topic: string, variables: Variables) =>
    checkWith({
      ...variablesFor(cluster, 'SASL_SSL'),
      ...{ ...sinkVariables(database), CONSUME_TOPICS: topic, CONSUME_DEAD_LETTER_TOPIC: 'none' },
      ...variables,
    });

  test('holds', async () => {
    await client.query(sqlFor('fine'));
    const report = await checkOf('fine', {});
    assert.equal(report.ok, true, JSON.stringify(report.verdict));
    assert.match(
      stageAt(report, 0, 'sink')?.evidence ?? '',
      /as they should be: kafka_functions_offsets, "fine"/,
    );
  });

  test('holds with the table of keys', async () => {
    await client.query(sqlFor('fine', once));
    const report = await checkOf('fine', once);
    assert.equal(report.ok, true, JSON.stringify(report.verdict));
    assert.match(stageAt(report, 0, 'sink')?.evidence ?? '', /kafka_functions_once, "fine"/);
    await client.query('DROP TABLE kafka_functions_once');
  });

  test('holds for grants of columns, a key with more beside it, and a view', async () => {
    await client.query(`${sqlFor('fine')} CREATE USER narrow PASSWORD '${database.password}';
      GRANT ALL ON kafka_functions_offsets TO narrow; CREATE TABLE wide (id int, a int, b int, UNIQUE (id) INCLUDE (a));
      GRANT DELETE ON wide TO narrow; GRANT SELECT (id, a), INSERT (id, a), UPDATE (id, a) ON wide TO narrow;
      CREATE VIEW seen AS SELECT * FROM wide`);
    const narrow = await checkOf('wide', { ...upsert, CONSUME_SINK_CONNECTION_USER: 'narrow' });
    assert.equal(narrow.ok, true, JSON.stringify(narrow.verdict));
    assert.equal((await checkOf('seen', upsert)).ok, true);
  });

  for (const [name, row] of Object.entries(rows)) {
    test(`${row.fault}: ${name}`, async () => {
      await client.query(`${sqlFor('fine')} ${row.sql ?? ''}`);
      const variables = typeof row.variables === 'function' ? await row.variables() : (row.variables ?? {});
      const report = await checkOf(row.topic ?? 'fine', variables);
      assert.equal(report.verdict?.fault, row.fault, JSON.stringify(report.verdict));
      assert.match(stageAt(report, 0, 'sink')?.evidence ?? '', row.evidence);
      assert.equal(exitCode(report), 71);
      assert.doesNotMatch(JSON.stringify(report), new RegExp(database.password));
    });
  }

  test('is not climbed where no such sink is configured', async () => {
    const report = await checkWith(variablesFor(cluster, 'SASL_SSL'));
    assert.equal(stageAt(report, 0, 'sink')?.status, 'skipped');
  });
});

describe('the rung of a store', () => {
  const checkOf = (variables: Variables) =>
    checkWith({
      ...variablesFor(cluster, 'SASL_SSL'),
      ...{ ...bucket.variables(), CONSUME_TOPICS: 'orders', CONSUME_DEAD_LETTER_TOPIC: 'none' },
      ...variables,
    });
  const faults: Record<string, [Variables, string, RegExp]> = {
    'no such bucket': [{ CONSUME_SINK_S3_BUCKET_NAME: 'nowhere' }, 'SINK_MISSING', /no bucket nowhere/],
    'an unknown key': [{ CONSUME_SINK_AWS_ACCESS_KEY_ID: 'AKNOBODY' }, 'SINK_LOGIN', /InvalidAccessKeyId/],
    'a wrong secret': [
      { CONSUME_SINK_AWS_SECRET_ACCESS_KEY: 'pw-wrong' },
      'SINK_LOGIN',
      /SignatureDoesNotMatch/,
    ],
    'no key at all': [
      { CONSUME_SINK_AWS_ACCESS_KEY_ID: '', CONSUME_SINK_AWS_SECRET_ACCESS_KEY: '' },
      'SINK_LOGIN',
      /no temporary key/,
    ],
    'no such name': [{ CONSUME_SINK_URL: 'http://store.invalid' }, 'SINK_DNS', /ENOTFOUND/],
  };
  for (const [name, [variables, fault, evidence]] of Object.entries(faults)) {
    test(`${fault}: ${name}`, async () => {
      const report = await checkOf(variables);
      assert.equal(report.verdict?.fault, fault, JSON.stringify(report.verdict));
      assert.match(stageAt(report, 0, 'sink')?.evidence ?? '', evidence);
      assert.equal(exitCode(report), 71);
      assert.ok(!JSON.stringify(report).includes(bucket.server.secretAccessKey));
    });
  }

  test('holds, and an object is written with CHECK_ROUND_TRIP alone', async () => {
    const looked = await checkOf({});
    assert.match(stageAt(looked, 0, 'sink')?.evidence ?? '', /the bucket answers.*nothing is written/);
    const topic = await newTopic(cluster, { partitions: 1 });
    const wrote = await checkOf({ CHECK_TOPIC: topic, CHECK_ROUND_TRIP: 'true' });
    assert.deepEqual([looked.ok, wrote.ok], [true, true], JSON.stringify(wrote.verdict));
    assert.match(stageAt(wrote, 0, 'sink')?.evidence ?? '', /an object was written/);
  });
});

test('every fault of the sink has a row', () => {
  const reproduced = Object.values(rows).map(({ fault }) => fault);
  const missing = faultIds.filter((id) => stageOf(id) === 'sink' && !reproduced.includes(id));
  assert.deepEqual(missing, []);
});
