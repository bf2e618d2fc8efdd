/**
 * Found 2026-11-27 (B11): in the http sink's format `json` no key and the key `null` looked the same, `abc` and
 * `"abc"` as well, and bytes that are no UTF-8 were replaced. A receiver must be able to tell the record's bytes.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumeConfig } from '../../functions/consume-batch/config.ts';
import { newTopic } from '../support/cluster.ts';
import { newConsumer } from '../support/consumer.ts';
import { startReceiver } from '../support/http.ts';
import { publish, readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
type Format = Extract<ConsumeConfig['sink'], { name: 'http' }>['format'];
type Bytes = Buffer | string | null;

/** What the http sink makes of records, each as `key and value` in its JSON text, and the values of dead letters. */
async function pull(format: Format, messages: { key: Bytes; value: Bytes }[]) {
  const topic = await newTopic(cluster, { partitions: 1, beside: ['dead-letter'] });
  // kafkajs takes half a minute to find a large key's partition.
  const placed = messages.map((message) => ({ ...message, partition: 0 }));
  await publish(cluster, topic, placed);
  const { posts, sink } = await startReceiver();
  const consumer = newConsumer(cluster, topic, { sink: { ...sink, format } });
  await consumer.pull();
  assert.equal(posts.length, 1);
  const body = posts[0]?.text ?? '';
  // A receiver's parser takes it, whatever stands in it.
  const count = JSON.parse(body).records.length;
  const parts = [...body.matchAll(/"timestamp":\d+,(.*?),?"headers":\[\]}/gs)].map(([, part]) => part);
  assert.equal(parts.length, count);
  const dead = (await readTopic(cluster, `${topic}.dead-letter`)).map(({ value }) => value);
  return { parts, dead };
}

const bigNumbers = '{"a":12345678901234567890, "b":1.10, "a":-0, "c":1e400}';
const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
/** Texts that a parser and a writer of JSON would not give back as they are. */
const verbatim = [
  'null',
  '"null"',
  '"abc"',
  '12345678901234567890',
  '1.10',
  bigNumbers,
  '"\\ud800"',
  ' [ 1 ]\n',
  deep,
];

test('json: the JSON text of a key stands as it is, and what is not JSON has another name', async () => {
  const notUtf8 = Buffer.from([0xff, 0x00, 0xfe]);
  const surrogate = Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]);
  const rows: [key: Bytes, member: string][] = [
    ...verbatim.map((text): [Bytes, string] => [text, `"key":${text},`]),
    [null, ''],
    ['abc', '"keyText":"abc",'],
    ['', '"keyText":"",'],
    ['NaN', '"keyText":"NaN",'],
    ['{"a":1', '"keyText":"{\\"a\\":1",'],
    ['\ufeff1', '"keyText":"\ufeff1",'],
    ['a\u0000\u2028\u{1f600}', '"keyText":"a\\u0000\u2028\u{1f600}",'],
    [notUtf8, `"keyBase64":"${notUtf8.toString('base64')}",`],
    [surrogate, `"keyBase64":"${surrogate.toString('base64')}",`],
  ];
  const { parts, dead } = await pull(
    'json',
    rows.map(([key]) => ({ key, value: '1' })),
  );
  assert.deepEqual(
    parts,
    rows.map(([, member]) => `${member}"value":1`),
  );
  assert.deepEqual(dead, []);
});

test('json: a tombstone has no value, JSON null is null, and a value that is not JSON is a dead letter byte for byte', async () => {
  const poison = ['', 'abc', '\ufeff1', '01', '{"a":1', '[1]x'].map((text) => Buffer.from(text));
  poison.push(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), Buffer.from([0x22, 0xff, 0x22]));
  const values: Bytes[] = [...verbatim, null, ...poison];
  const { parts, dead } = await pull(
    'json',
    values.map((value) => ({ key: '1', value })),
  );
  assert.deepEqual(parts, [...verbatim.map((text) => `"key":1,"value":${text}`), '"key":1']);
  assert.deepEqual(dead, poison);
});

test('text: null and the text null differ, and a key that is not UTF-8 has another name', async () => {
  const rows: [key: Bytes, value: Bytes, members: string][] = [
    [null, null, '"key":null,"value":null'],
    ['null', 'null', '"key":"null","value":"null"'],
    ['"null"', '"null"', '"key":"\\"null\\"","value":"\\"null\\""'],
    ['', '', '"key":"","value":""'],
    ['\ufeff1', '\ufeff1', '"key":"\ufeff1","value":"\ufeff1"'],
    [Buffer.from([0xff]), 'v', '"keyBase64":"/w==","value":"v"'],
    ['k', Buffer.from([0xff]), ''],
  ];
  const { parts, dead } = await pull(
    'text',
    rows.map(([key, value]) => ({ key, value })),
  );
  assert.deepEqual(
    parts,
    rows.map(([, , members]) => members).filter((members) => members !== ''),
  );
  assert.deepEqual(dead, [Buffer.from([0xff])]);
});

test('base64: null, nothing and any bytes differ', async () => {
  const bytes = Buffer.from([0xff, 0x00]);
  const { parts } = await pull('base64', [
    { key: null, value: null },
    { key: '', value: '' },
    { key: 'null', value: bytes },
  ]);
  assert.deepEqual(parts, [
    '"key":null,"value":null',
    '"key":"","value":""',
    '"key":"bnVsbA==","value":"/wA="',
  ]);
});
