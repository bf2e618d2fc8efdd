import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import type { ProducerRecord } from '../../src/record.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { root, start } from '../support/processes.ts';
import { newProducer } from '../support/producer.ts';
import { cleanEnvironment } from './npm-start.ts';

const cluster = await kafkaForTests();
const kafka = new Kafka({
  brokers: cluster.bootstrapServers.PLAINTEXT.split(','),
  logLevel: logLevel.NOTHING,
});
const { producer } = newProducer(connectionConfigFor(cluster));

async function publish(topic: string, records: Partial<ProducerRecord>[]): Promise<void> {
  const whole = records.map((record) => ({ topic, key: null, value: null, headers: [], ...record }));
  const results = await producer.send(whole, Date.now() + 10_000);
  assert.ok(
    results.every((result) => 'partition' in result),
    JSON.stringify(results),
  );
}

function begin(args: readonly string[], variables: NodeJS.ProcessEnv = {}) {
  const { username, password } = cluster.users.app;
  const running = start(process.execPath, ['local/run.mjs', 'local/records/main.ts', ...args], {
    cwd: root,
    env: cleanEnvironment({
      KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_SSL,
      KAFKA_SASL_USERNAME: username,
      KAFKA_SASL_PASSWORD: password,
      KAFKA_SSL_CA_LOCATION: cluster.caLocation,
      ...variables,
    }),
  });
  const { stdout, stderr } = running;
  const ended = running.ended.then((code) => ({
    ...{ code, stderr: stderr(), lines: stdout().split('\n').slice(0, -1) },
  }));
  return { ...running, ended };
}

const run = (...args: string[]) => begin(args).ended;

/** The values that were printed, as they stand in the line. */
const valuesOf = (lines: readonly string[]) => lines.map((line) => JSON.parse(line).value);

describe('npm run records', { concurrency: 2 }, () => {
  test('json: one object a line, in which JSON stands as the record has it', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const texts = [
      '{"n":12345678901234567890123,"x":1.10,\n  "a":"b c"}',
      'plain',
      '"plain"',
      'null',
      '\u001b[31mred\u202e',
      '"\u009b31m"',
    ];
    await publish(topic, [
      ...texts.map((text) => ({
        key: Buffer.from('k'),
        value: Buffer.from(text),
        timestamp: 1_700_000_000_000,
      })),
      { value: Buffer.from([0xff, 0x00]) },
      {
        value: null,
        headers: [
          { key: 'h', value: Buffer.from('1') },
          { key: 'h', value: null },
          { key: 'b\u001b', value: Buffer.from([0xfe]) },
        ],
      },
    ]);
    const { code, lines, stderr } = await run(topic);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    assert.deepEqual(lines.slice(0, 6), [
      '{"partition":0,"offset":0,"time":"2023-11-14T22:13:20.000Z","key":"k","keyFormat":"text","value":{"n":12345678901234567890123,"x":1.10,   "a":"b c"},"headers":[]}',
      '{"partition":0,"offset":1,"time":"2023-11-14T22:13:20.000Z","key":"k","keyFormat":"text","value":"plain","valueFormat":"text","headers":[]}',
      '{"partition":0,"offset":2,"time":"2023-11-14T22:13:20.000Z","key":"k","keyFormat":"text","value":"plain","headers":[]}',
      '{"partition":0,"offset":3,"time":"2023-11-14T22:13:20.000Z","key":"k","keyFormat":"text","value":null,"valueFormat":"json","headers":[]}',
      '{"partition":0,"offset":4,"time":"2023-11-14T22:13:20.000Z","key":"k","keyFormat":"text","value":"\\u001b[31mred\\u202e","valueFormat":"text","headers":[]}',
      '{"partition":0,"offset":5,"time":"2023-11-14T22:13:20.000Z","key":"k","keyFormat":"text","value":"\\u009b31m","headers":[]}',
    ]);
    const [binary, tombstone] = lines.slice(6).map((line) => JSON.parse(line));
    assert.deepEqual([binary.value, binary.valueFormat], ['/wA=', 'base64']);
    assert.equal(tombstone.value, null);
    assert.ok(!('valueFormat' in tombstone));
    assert.deepEqual(tombstone.headers, [
      { key: 'h', value: '1' },
      { key: 'h', value: null },
      { key: 'b\u001b', value: '/g==', valueFormat: 'base64' },
    ]);
  });

  test('text, base64 and hex: a line a record, between tabs, without what a terminal obeys', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const value = Buffer.from('a\tb\u001b[2J');
    const headers = [{ key: 'h', value: Buffer.from('v') }];
    await publish(topic, [{ key: null, value, headers, timestamp: 1_700_000_000_000 }]);
    const printed = {
      text: 'a\\u0009b\\u001b[2J\th=v',
      base64: 'YQliG1sySg==\th=dg==',
      hex: '6109621b5b324a\th=76',
    };
    for (const [format, end] of Object.entries(printed)) {
      const { lines } = await run(topic, '--format', format);
      assert.deepEqual(lines, [`0\t0\t2023-11-14T22:13:20.000Z\tnull\t${end}`]);
    }
  });

  test('--from, --partition, --count; several partitions in the order of times', async () => {
    const topic = await newTopic(cluster, { partitions: 3 });
    const times = [5, 1, 4, 2, 6, 3].map((minute) => Date.UTC(2026, 0, 1, 0, minute));
    // By partition: 5 and 2, 1 and 6, 4 and 3.
    for (const [at, timestamp] of times.entries()) {
      const value = Buffer.from(`${new Date(timestamp).getUTCMinutes()}`);
      await publish(topic, [{ partition: at % 3, timestamp, value }]);
    }
    const values = async (...args: string[]) => {
      const { code, lines, stderr } = await run(topic, ...args);
      assert.equal(code, 0, stderr);
      return valuesOf(lines);
    };
    // Within a partition the log's order counts.
    assert.deepEqual(await values(), [1, 4, 3, 5, 2, 6]);
    assert.deepEqual(await values('--count', '2'), [1, 4]);
    assert.deepEqual(await values('--partition', '1'), [1, 6]);
    assert.deepEqual(await values('--from', '1'), [2, 3, 6]);
    assert.deepEqual(await values('--from', '2026-01-01T00:05:30Z'), [6]);
    assert.deepEqual(await values('--from', '2027-01-01'), []);
    assert.deepEqual(await values('--from', 'latest'), []);
    assert.deepEqual(await values('--from', '99'), []);
  });

  test('--follow prints what comes, and joins no group', async () => {
    const topic = await newTopic(cluster, { partitions: 2 });
    await publish(topic, [{ partition: 0, value: Buffer.from('1') }]);
    const { child, ended } = begin([topic, '--follow', '--count', '3']);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    assert.equal(JSON.parse((await lines.next()).value).value, 1);
    await publish(topic, [{ partition: 1, value: Buffer.from('2') }]);
    assert.equal(JSON.parse((await lines.next()).value).value, 2);
    await publish(topic, [{ partition: 0, value: Buffer.from('3') }]);
    assert.equal(JSON.parse((await lines.next()).value).offset, 1);
    assert.equal((await ended).code, 0);
    const endless = begin([topic, '--follow']);
    await once(endless.child.stdout, 'data');
    endless.child.kill('SIGINT');
    assert.equal((await endless.ended).code, 0);
    const admin = kafka.admin();
    await admin.connect();
    assert.deepEqual((await admin.listGroups()).groups, []);
    await admin.disconnect();
  });

  test('what is aborted is not printed; a log of many batches is', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const transactional = kafka.producer({ transactionalId: topic, maxInFlightRequests: 1 });
    await transactional.connect();
    const aborted = await transactional.transaction();
    await aborted.send({ topic, messages: [{ value: '"aborted"' }] });
    await aborted.abort();
    await transactional.disconnect();
    const values = Array.from({ length: 1_500 }, (_, at) => at);
    await publish(
      topic,
      values.map((value) => ({ value: Buffer.from(`${value}`) })),
    );
    // It waits for the marker of the transaction as well, which the broker writes after its answer.
    const { lines } = await run(topic, '--follow', '--count', '1500');
    assert.deepEqual(valuesOf(lines), values);
  });

  test('what fails has a code of ours and an exit code', async () => {
    const topic = await newTopic(cluster, { partitions: 2 });
    const nowhere = await run('nowhere');
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /^UNKNOWN_TOPIC: topic nowhere does not exist: .*--topics nowhere/);
    const beyond = await run(topic, '--partition', '7');
    assert.equal(beyond.code, 1);
    assert.match(beyond.stderr, /^UNKNOWN_PARTITION: topic .* has no partition 7: it has 2, counted from 0/);
    const refused = await begin([topic], { KAFKA_SASL_PASSWORD: 'wrong' }).ended;
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /AUTHENTICATION_FAILED: /);
    const without = await begin([topic], { KAFKA_BOOTSTRAP_SERVERS: '' }).ended;
    assert.equal(without.code, 1);
    assert.match(
      without.stderr,
      /^CONFIG_INVALID: .*KAFKA_BOOTSTRAP_SERVERS is required\n.*\.kafka-functions\/env/s,
    );
    for (const args of [
      [],
      ['a', 'b'],
      ['a b'],
      ['a', '--from', 'yesterday'],
      ['a', '--from', '2026-13-45'],
      ['a', '--count', '0'],
      ['a', '--partition', '-1'],
      ['a', '--format', 'xml'],
      ['a', '--nonsense'],
    ]) {
      const { code, lines, stderr } = await run(...args);
      assert.equal(code, 2, args.join(' '));
      assert.deepEqual(lines, []);
      assert.match(stderr, /Usage: npm run -s records/);
    }
    const help = await run('--help');
    assert.equal(help.code, 0);
    assert.match(help.lines[0] ?? '', /^Usage: npm run -s records/);
  });
});
