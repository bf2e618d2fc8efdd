import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createPublish, type Publisher } from '../../functions/produce/publish.ts';
import { offsetsResponse } from '../../functions/produce/response.ts';
import { Failure } from '../../src/errors.ts';
import type { HttpResponse } from '../../src/http/message.ts';
import type { ProducerConfig } from '../../src/kafka/produce/config.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { recordingLog } from '../support/log.ts';
import {
  acknowledged,
  assertFailure,
  BINARY_V2,
  bodyOf,
  JSON_TYPE,
  JSON_V2,
  post,
  produceDefaults,
  TEXT_V2,
  VENDOR_TYPE,
} from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { type ReadRecord, readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const { producer } = newProducer(connectionConfigFor(cluster));
const inTime = () => Date.now() + 30_000;

const type = (contentType: string) => ({ headers: { 'content-type': contentType } });

function publisher(changes: Partial<Publisher> = {}) {
  const publish = createPublish({ producer, config: produceDefaults, log: recordingLog(), ...changes });
  return (...args: Parameters<typeof post>): Promise<HttpResponse> => publish(post(...args), inTime());
}

const publish = publisher();

function publisherWith(options: Partial<ProducerConfig>) {
  return publisher({ producer: newProducer(connectionConfigFor(cluster), options).producer });
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const keyAndValue = ({ key, value }: ReadRecord) => [key?.toString() ?? null, value?.toString() ?? null];

/** Publishes to one partition, so that what is read back has the order of the request. */
async function roundTrip(body: unknown, contentType = JSON_TYPE): Promise<ReadRecord[]> {
  const topic = await newTopic(cluster, { partitions: 1 });
  const places = acknowledged(await publish(topic, body, type(contentType)));
  const records = await readTopic(cluster, topic);
  assert.deepEqual(
    places,
    records.map(({ partition, offset }) => `${partition}/${offset}`),
  );
  return records;
}

describe('the json format', () => {
  test("keys and values arrive as the request's own text", async () => {
    const texts = [
      '12345678901234567890123',
      '1.10',
      '1e3',
      '-0',
      '0',
      'false',
      '{}',
      '[]',
      '""',
      '"a"',
      '"null"',
      '{"b":1,"a":{"2":0,"1":0}}',
      '{"a":2,"a":3}',
      '"\\u00e9 é 😀 \\ud83d\\ude00 \\ud800 \\/"',
      '"a  b : , {"',
      '{"__proto__":{"x":1}}',
    ];
    const records = texts.map((text) => `{"key" : ${text} ,\n\t"value":${text}}`);
    const read = await roundTrip(`{"records":[${records.join(' , ')}]}`);
    assert.deepEqual(
      read.map(keyAndValue),
      texts.map((text) => [text, text]),
    );
  });

  test('white space outside strings is left out', async () => {
    const read = await roundTrip('{"records":[{"value": { "a" : [ 1 ,\r\n 2 ] , "b c" : " d " } }]}');
    assert.deepEqual(read.map(keyAndValue), [[null, '{"a":[1,2],"b c":" d "}']]);
  });

  test('null and absent are null; the word in a string is not', async () => {
    const read = await roundTrip('{"records":[{},{"key":null,"value":null},{"key":"null","value":[null]}]}');
    assert.deepEqual(read.map(keyAndValue), [
      [null, null],
      [null, null],
      ['"null"', '[null]'],
    ]);
  });

  test('the last of a repeated member counts, however its name is written', async () => {
    const read = await roundTrip(
      '{"records":[{"value":9}],"records":[{"value":1,"value":null},{"value":null,"v\\u0061lue":2}]}',
    );
    assert.deepEqual(read.map(keyAndValue), [
      [null, null],
      [null, '2'],
    ]);
  });

  test('a byte order mark is left out', async () => {
    assert.deepEqual((await roundTrip('\ufeff{"records":[{"key":1,"value":2}]}')).map(keyAndValue), [
      ['1', '2'],
    ]);
  });

  const types = [
    '',
    JSON_TYPE,
    JSON_V2,
    'Application/JSON',
    'application/json; charset=utf-8',
    'APPLICATION/VND.Kafka.JSON.v2+json ; Charset="UTF-8"',
  ];
  test('its media type may be in any case, have parameters, or be absent', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    for (const contentType of types) {
      acknowledged(await publish(topic, { records: [{ value: contentType }] }, type(contentType)));
    }
    const read = await readTopic(cluster, topic);
    assert.deepEqual(
      read.map(({ value }) => JSON.parse(`${value}`)),
      types,
    );
    acknowledged(await publish(topic, { records: [{ value: 1 }] }));
  });

  test('a parsed body that came along does not replace the text', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const body = '{"records":[{"value":1.10}]}';
    acknowledged(await publish(topic, body, { ...type(JSON_TYPE), json: JSON.parse(body) }));
    assert.deepEqual((await readTopic(cluster, topic)).map(keyAndValue), [[null, '1.10']]);
  });
});

describe('the binary format', () => {
  test('base64 stands for any bytes, and an empty text for an empty value', async () => {
    const bytes = Buffer.from([0, 255, 128, 10, 13]);
    const read = await roundTrip(
      {
        records: [
          { key: bytes.toString('base64'), value: bytes.toString('base64') },
          { key: '', value: '' },
          { key: null, value: null },
          {},
        ],
      },
      BINARY_V2,
    );
    assert.deepEqual(
      read.map(({ key, value }) => [key, value]),
      [
        [bytes, bytes],
        [Buffer.alloc(0), Buffer.alloc(0)],
        [null, null],
        [null, null],
      ],
    );
  });

  for (const value of [
    'YQ',
    'YR==',
    'Y Q==',
    'YQ==\n',
    '_-8=',
    'YQ===',
    'YQ==YQ==',
    'ä',
    '=',
    'bnVsbA',
    0,
    false,
    {},
    [],
  ]) {
    test(`${JSON.stringify(value)} is refused as base64`, async () => {
      for (const member of ['key', 'value']) {
        const answer = assertFailure(
          await publish('some', { records: [{}, { [member]: value }] }, type(BINARY_V2)),
          'INVALID_RECORD',
        );
        assert.deepEqual(
          answer.validation_errors?.map(({ path }) => path),
          [`records[1].${member}`],
        );
      }
    });
  }
});

describe('the text format', () => {
  test('strings are sent as they are', async () => {
    const read = await roundTrip(
      {
        records: [
          { key: 'a', value: '"b" é😀\n\u0000' },
          { key: '', value: '' },
          { key: null },
          { value: 'null' },
        ],
      },
      TEXT_V2,
    );
    assert.deepEqual(read.map(keyAndValue), [
      ['a', '"b" é😀\n\u0000'],
      ['', ''],
      [null, null],
      [null, 'null'],
    ]);
  });

  for (const value of [0, 1, true, {}, [], '\ud800', 'a\udc00b']) {
    test(`${JSON.stringify(value)} is refused as text`, async () => {
      assertFailure(await publish('some', { records: [{ value }] }, type(TEXT_V2)), 'INVALID_RECORD');
      assertFailure(await publish('some', { records: [{ key: value }] }, type(TEXT_V2)), 'INVALID_RECORD');
    });
  }
});

describe('headers and timestamps', () => {
  test('headers have a key or a name, and a value in base64, null or empty, and may repeat', async () => {
    const [record] = await roundTrip({
      records: [
        {
          value: 1,
          headers: [
            { key: 'a', value: base64('1') },
            { name: 'b', value: base64('2') },
            { key: 'empty', value: '' },
            { key: 'null', value: null },
            { key: 'absent' },
            { key: 'é', value: Buffer.from([0, 255]).toString('base64') },
            { key: 'a', value: base64('3') },
            { key: '', value: base64('no name') },
          ],
        },
      ],
    });
    const { headers } = record ?? {};
    assert.deepEqual(
      { ...headers },
      {
        a: [Buffer.from('1'), Buffer.from('3')],
        b: Buffer.from('2'),
        empty: Buffer.alloc(0),
        null: null,
        absent: null,
        é: Buffer.from([0, 255]),
        '': Buffer.from('no name'),
      },
    );
  });

  for (const headers of [
    [{ key: 'a', value: 'YQ' }],
    [{ key: 'a', value: 7 }],
    [{ key: 7, value: 'YQ==' }],
    [{ value: 'YQ==' }],
    [{ key: 'a', name: 'a', value: 'YQ==' }],
    [{ key: 'a', value: 'YQ==', more: 1 }],
    [{ key: 'half \ud800', value: 'YQ==' }],
    [null],
    ['a'],
    { a: 'YQ==' },
    'a',
  ]) {
    test(`${JSON.stringify(headers)} are refused as headers`, async () => {
      const answer = assertFailure(await publish('some', { records: [{ headers }] }), 'INVALID_RECORD');
      assert.match(answer.validation_errors?.[0]?.path ?? '', /^records\[0\]\.headers/);
    });
  }

  test('timestamps, far apart in one batch; the time of sending where there is none', async () => {
    const before = Date.now();
    const timestamps = [1_700_000_000_000, 0, 1, null, undefined, 1_700_000_000_001];
    const read = await roundTrip({ records: timestamps.map((timestamp) => ({ value: 1, timestamp })) });
    const now = read.filter((_, index) => timestamps[index] == null);
    assert.equal(now.length, 2);
    for (const { timestamp } of now) assert.ok(timestamp >= before && timestamp <= Date.now());
    read.forEach(({ timestamp }, index) => {
      if (timestamps[index] != null) assert.equal(timestamp, timestamps[index]);
    });
  });

  for (const timestamp of [
    -1,
    1.5,
    '1700000000000',
    '2021-02-05T19:14:42Z',
    true,
    {},
    8_640_000_000_000_001,
  ]) {
    test(`${JSON.stringify(timestamp)} is refused as a timestamp`, async () => {
      const answer = assertFailure(await publish('some', { records: [{ timestamp }] }), 'INVALID_RECORD');
      assert.equal(answer.validation_errors?.[0]?.path, 'records[0].timestamp');
    });
  }
});

describe('where records go', () => {
  test('a topic in the path, behind any prefix, percent-encoded, with a slash at the end', async () => {
    const topic = await newTopic(cluster);
    const [first = '', ...rest] = topic;
    const encoded = `%${first.charCodeAt(0).toString(16)}${rest.join('')}`;
    for (const path of [
      `/topics/${topic}`,
      `/v1/kafka/topics/${topic}`,
      `/topics/topics/${topic}`,
      `topics/${topic}`,
      `/topics/${topic}/`,
      `/topics/${encoded}`,
    ]) {
      acknowledged(await publish('', { records: [{ value: path }] }, { path }));
    }
    assert.equal((await readTopic(cluster, topic)).length, 6);
  });

  test("the gateway's own parameters, the path, the body, KAFKA_TOPIC: the first one counts", async () => {
    const [parameter, inPath, inBody, byDefault] = await Promise.all(
      ['parameter', 'path', 'body', 'default'].map((prefix) => newTopic(cluster, { partitions: 2 }, prefix)),
    );
    const withDefault = publisher({ config: { ...produceDefaults, defaultTopic: byDefault } });
    const body = { topic: inBody, records: [{ value: 1 }] };
    const pathParameters = { topic: `${parameter}`, partition: '1' };
    const path = `/topics/${inPath}`;
    assert.deepEqual(acknowledged(await withDefault('', body, { path, pathParameters })), ['1/0']);
    acknowledged(await withDefault('', body, { path, pathParameters: { '': 'x' } }));
    acknowledged(await withDefault('', body, { path: '/' }));
    acknowledged(await withDefault('', { records: [{ value: 1 }] }, { path: '/' }));
    for (const topic of [parameter, inPath, inBody, byDefault]) {
      assert.equal((await readTopic(cluster, `${topic}`)).length, 1, topic);
    }
    assertFailure(await publish('', { records: [{ value: 1 }] }, { path: '/' }), 'INVALID_RECORD');
  });

  test('topics may be called like routes', async () => {
    for (const topic of ['healthy', 'ready', 'topics', 'partitions', 'brokers']) {
      await cluster.createTopic(topic, { partitions: 1 });
      assert.deepEqual(acknowledged(await publish(topic, { records: [{ value: 1 }] })), ['0/0']);
      const path = `/topics/${topic}/partitions/0`;
      assert.deepEqual(acknowledged(await publish('', { records: [{ value: 1 }] }, { path })), ['0/1']);
    }
  });

  test('a partition may stand in the path or in the record', async () => {
    const topic = await newTopic(cluster, { partitions: 3 });
    const toPartition = (partition: string, record: object) =>
      publish(
        '',
        { records: [{ value: 1, ...record }] },
        { path: `/topics/${topic}/partitions/${partition}` },
      );
    assert.deepEqual(acknowledged(await toPartition('2', { key: 'a' })), ['2/0']);
    assert.deepEqual(acknowledged(await toPartition('2', { partition: 2 })), ['2/1']);
    assert.deepEqual(acknowledged(await toPartition('2', { partition: null })), ['2/2']);
    const places = await publish(topic, { records: [{ partition: 1 }, { partition: 0 }, { partition: 1 }] });
    assert.deepEqual(acknowledged(places), ['1/0', '0/0', '1/1']);
    assertFailure(await toPartition('2', { partition: 1 }), 'INVALID_RECORD');
    for (const partition of ['-1', 'abc', '1.5', '2147483648', '99999999999999999999', '%ff', '1e0', '0x1']) {
      assertFailure(await toPartition(partition, {}), 'INVALID_RECORD');
    }
    for (const partition of [-1, 1.5, '1', true, 2 ** 31, {}]) {
      assertFailure(await publish(topic, { records: [{ partition }] }), 'INVALID_RECORD');
    }
    assertFailure(await toPartition('3', {}), 'UNKNOWN_PARTITION');
    assertFailure(await toPartition('2147483647', {}), 'UNKNOWN_PARTITION');
    assert.equal((await readTopic(cluster, topic)).length, 6);
  });

  test("keys: Java's murmur2, whatever the format", async () => {
    const topic = await newTopic(cluster, { partitions: 7 });
    // Kafka's own UtilsTest.testMurmur2.
    const hashes: [string, number][] = [
      ['21', -973932308],
      ['foobar', -790332482],
      ['a-little-bit-long-string', -985981536],
      ['a-little-bit-longer-string', -1486304829],
      ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
      ['abc', 479470107],
    ];
    const expected = hashes.map(([, hash]) => (hash & 0x7fffffff) % 7);
    const partitions = (response: HttpResponse) => acknowledged(response).map((place) => Number(place[0]));
    const text = hashes.map(([key]) => ({ key, value: 'x' }));
    assert.deepEqual(partitions(await publish(topic, { records: text }, type(TEXT_V2))), expected);
    const binary = hashes.map(([key]) => ({ key: base64(key) }));
    assert.deepEqual(partitions(await publish(topic, { records: binary }, type(BINARY_V2))), expected);
    assert.equal(partitions(await publish(topic, { records: [{ key: 21 }] }))[0], expected[0]);
  });

  test('records without a key go to one partition a request', async () => {
    const topic = await newTopic(cluster, { partitions: 6 });
    const places = acknowledged(await publish(topic, { records: Array(50).fill({ value: 1 }) }));
    const [partition] = `${places[0]}`.split('/');
    assert.deepEqual(
      places,
      places.map((_, index) => `${partition}/${index}`),
    );
  });

  test("entries in the request's order, each with its own partition and offset", async () => {
    const topic = await newTopic(cluster, { partitions: 4 });
    const records = Array.from({ length: 200 }, (_, n) => ({
      key: n % 17,
      value: n,
      partition: (n * 7) % 4,
    }));
    const places = acknowledged(await publish(topic, { records }));
    const read = await readTopic(cluster, topic);
    const valueAt = new Map(
      read.map((record) => [`${record.partition}/${record.offset}`, `${record.value}`]),
    );
    assert.equal(valueAt.size, 200);
    assert.deepEqual(
      places.map((place) => valueAt.get(place)),
      records.map(({ value }) => `${value}`),
    );
  });

  test('a body larger than a produce request may be is split, and keeps its order', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const small = publisherWith({ maxRequestSize: 4_096 });
    const records = Array.from({ length: 60 }, (_, n) => ({ value: `${n}`.padEnd(700, '.') }));
    const places = acknowledged(await small(topic, { records }));
    assert.deepEqual(
      places,
      records.map((_, n) => `0/${n}`),
    );
    const read = await readTopic(cluster, topic);
    assert.deepEqual(
      read.map(({ value }) => JSON.parse(`${value}`)),
      records.map(({ value }) => value),
    );
  });

  test('with acks=0 the answer has no offset', async () => {
    const topic = await newTopic(cluster, { partitions: 1 });
    const response = await publisherWith({ acks: '0', idempotence: 'off' })(topic, {
      records: [{ value: 1 }],
    });
    assert.deepEqual(acknowledged(response), ['0/null']);
  });
});

describe('what the cluster refuses', () => {
  const large = 'x'.repeat(3_000);

  test('some records: 207, with the failed ones in their places and the others in the log', async () => {
    const topic = await newTopic(cluster, { partitions: 1, config: { 'max.message.bytes': '2000' } });
    const response = await publish(topic, { records: [{ value: 1 }, { value: large }, { value: 2 }] });
    assert.equal(response.status, 207);
    const { offsets, ...rest } = bodyOf(response);
    assert.deepEqual(rest, { key_schema_id: null, value_schema_id: null });
    const [first, second, third] = offsets ?? [];
    assert.deepEqual(first, { partition: 0, offset: 0, error_code: null, error: null });
    assert.deepEqual(third, { partition: 0, offset: 1, error_code: null, error: null });
    const { error, ...verdict } = second ?? {};
    assert.equal(typeof error, 'string');
    assert.deepEqual(verdict, {
      partition: null,
      offset: null,
      error_code: 41301,
      code: 'RECORD_TOO_LARGE',
      retriable: false,
      delivery: 'none',
    });
    const read = await readTopic(cluster, topic);
    assert.deepEqual(
      read.map(({ offset, value }) => `${offset} ${value}`),
      ['0 1', '1 2'],
    );
  });

  test('all records: the status of the failure, with every entry', async () => {
    const topic = await newTopic(cluster, { partitions: 1, config: { 'max.message.bytes': '2000' } });
    const response = await publish(topic, { records: [{ value: large }, { value: large }] });
    const answer = assertFailure(response, 'RECORD_TOO_LARGE');
    assert.deepEqual(
      answer.offsets?.map(({ offset, code }) => [offset, code]),
      [
        [null, 'RECORD_TOO_LARGE'],
        [null, 'RECORD_TOO_LARGE'],
      ],
    );
    assert.deepEqual(await readTopic(cluster, topic), []);
  });

  test('a timestamp too far ahead fails its own record', async () => {
    const topic = await newTopic(cluster, { config: { 'message.timestamp.after.max.ms': '3600000' } });
    const timestamp = Date.now() + 86_400_000;
    assertFailure(await publish(topic, { records: [{ value: 1, timestamp }] }), 'INVALID_RECORD');
    const response = await publish(topic, { records: [{ value: 1, timestamp }, { value: 2 }] });
    assert.equal(response.status, 207);
    assert.deepEqual(
      bodyOf(response).offsets?.map(({ code }) => code),
      ['INVALID_RECORD', undefined],
    );
    assert.deepEqual((await readTopic(cluster, topic)).map(keyAndValue), [[null, '2']]);
  });

  test('the status where all failed: the first whose delivery is unknown, else the first', () => {
    const failed = (...codes: ConstructorParameters<typeof Failure>[0][]) =>
      bodyOf(
        offsetsResponse(
          codes.map((code) => new Failure(code, code)),
          JSON_TYPE,
        ),
      ).code;
    assert.equal(failed('RECORD_TOO_LARGE', 'NO_LEADER'), 'RECORD_TOO_LARGE');
    assert.equal(failed('RECORD_TOO_LARGE', 'ACK_TIMEOUT', 'CONNECTION_LOST'), 'ACK_TIMEOUT');
    const mixed = offsetsResponse([new Failure('ACK_TIMEOUT', ''), { partition: 0, offset: 1 }], JSON_TYPE);
    assert.equal(mixed.status, 207);
  });
});

describe('a request is checked whole before anything is published', async () => {
  const topic = await newTopic(cluster, { partitions: 2 });
  const mistakes: [string, unknown, string][] = [
    ['no records', { records: [] }, 'INVALID_RECORD'],
    ['records missing', {}, 'INVALID_RECORD'],
    ['records as an object', { records: { value: 1 } }, 'INVALID_RECORD'],
    ['a list of records', [{ value: 1 }], 'INVALID_RECORD'],
    ['null', 'null', 'INVALID_RECORD'],
    ['a string', '"text"', 'INVALID_RECORD'],
    ['a record that is no object', { records: [{ value: 1 }, 7] }, 'INVALID_RECORD'],
    ['a null record', { records: [{ value: 1 }, null] }, 'INVALID_RECORD'],
    ['an unknown member of a record', { records: [{ value: 1 }, { valeu: 2 }] }, 'INVALID_RECORD'],
    ['an unknown member of the body', { records: [{ value: 1 }], acks: 0 }, 'INVALID_RECORD'],
    ['a member from the prototype', '{"records":[{"value":1}],"__proto__":1}', 'INVALID_RECORD'],
    ['the same in a record', '{"records":[{"value":1,"constructor":1}]}', 'INVALID_RECORD'],
    ['a schema', { records: [{ value: 1 }], value_schema: '"string"' }, 'INVALID_RECORD'],
    ['a schema id', { records: [{ value: 1 }], key_schema_id: 1 }, 'INVALID_RECORD'],
    ['a topic that is no string', { records: [{ value: 1 }], topic: 7 }, 'INVALID_RECORD'],
    ['a negative partition', { records: [{ value: 1 }, { value: 2, partition: -1 }] }, 'INVALID_RECORD'],
    ['an unknown partition', { records: [{ value: 1 }, { value: 2, partition: 2 }] }, 'UNKNOWN_PARTITION'],
    ['a record too large', { records: [{ value: 1 }, { value: 'x'.repeat(2 ** 20) }] }, 'RECORD_TOO_LARGE'],
  ];
  for (const [name, body, code] of mistakes) {
    test(name, async () => {
      assertFailure(await publish(topic, body), code);
    });
  }

  test('every mistake has its place, up to twenty of them', async () => {
    const one = assertFailure(
      await publish(topic, { records: [{ partition: -1 }, 7, { no: 1, headers: [1] }], more: 1 }),
      'INVALID_RECORD',
    );
    assert.deepEqual(one.validation_errors?.map(({ path }) => path).sort(), [
      'more',
      'records[0].partition',
      'records[1]',
      'records[2].headers[0]',
      'records[2].no',
    ]);
    assert.match(one.message ?? '', /^records\[0\]\.partition must not be negative \(and \d more\)$/);
    const many = assertFailure(await publish(topic, { records: Array(500).fill(7) }), 'INVALID_RECORD');
    assert.equal(many.validation_errors?.length, 20);
    assert.equal(many.validation_errors?.[0]?.message, 'must be an object');
    const missing = assertFailure(await publish(topic, {}), 'INVALID_RECORD');
    assert.deepEqual(missing.validation_errors, [{ path: 'records', message: 'is missing' }]);
    const binary = { records: Array(500).fill({ value: '!' }) };
    const bad = assertFailure(await publish(topic, binary, type(BINARY_V2)), 'INVALID_RECORD');
    assert.equal(bad.validation_errors?.length, 20);
  });

  test('none of the refused requests has published anything', async () => {
    assert.deepEqual(await readTopic(cluster, topic), []);
  });

  test('schema members that are null are accepted', async () => {
    const schemas = { key_schema: null, key_schema_id: null, value_schema: null, value_schema_id: null };
    acknowledged(await publish(topic, { ...schemas, records: [{ value: 1 }] }));
  });

  test('as many records as an answer has room for are accepted, and not one more', async () => {
    const many = (length: number) => publish(topic, { records: Array(length).fill({}) });
    assert.equal(acknowledged(await many(10_000)).length, 10_000);
    assertFailure(await many(10_001), 'INVALID_RECORD');
  });
});

describe('the body of a request', async () => {
  const topic = await newTopic(cluster, { partitions: 1 });
  const body = '{"records":[{"value":"gzip"}]}';
  const encoded = (encoding: string, contentType = JSON_TYPE) => ({
    headers: { 'content-type': contentType, 'content-encoding': encoding },
  });

  test('a gzip body is read in any case and format', async () => {
    for (const encoding of ['gzip', 'GZIP', ' gzip ', 'x-gzip']) {
      acknowledged(await publish(topic, gzipSync(body), encoded(encoding)));
    }
    acknowledged(await publish(topic, gzipSync(body), encoded('gzip', TEXT_V2)));
    acknowledged(await publish(topic, body, encoded('identity')));
    const texts = (await readTopic(cluster, topic)).map(({ value }) => `${value}`);
    assert.deepEqual(texts, [...Array(4).fill('"gzip"'), 'gzip', '"gzip"']);
  });

  test('a body that is too large, also after decompression, is refused', async () => {
    const small = publisher({ config: { ...produceDefaults, maxBodyBytes: 1_000 } });
    assertFailure(await small(topic, { records: [{ value: 'x'.repeat(1_000) }] }), 'BODY_TOO_LARGE');
    assertFailure(
      await small(topic, gzipSync(`{"records":[{"value":"${'x'.repeat(1_000)}"}]}`), encoded('gzip')),
      'BODY_TOO_LARGE',
    );
    const bomb = gzipSync(Buffer.alloc(50_000_000, ' '));
    assertFailure(await publish(topic, bomb, encoded('gzip')), 'BODY_TOO_LARGE');
    const exact = JSON.stringify({ records: [{ value: 'x'.repeat(974) }] });
    assert.equal(exact.length, 1_000);
    acknowledged(await small(topic, exact));
    acknowledged(await small(topic, gzipSync(exact), encoded('gzip')));
  });

  const malformed: [string, string | Buffer, string?][] = [
    ['empty', ''],
    ['white space', ' \n'],
    ['a byte order mark alone', '\ufeff'],
    ['not JSON', '{"records":[{"value":1}'],
    ['two documents', '{"records":[{"value":1}]}{}'],
    ['NaN', '{"records":[{"value":NaN}]}'],
    ['a trailing comma', '{"records":[{"value":1},]}'],
    [
      'not UTF-8',
      Buffer.concat([Buffer.from('{"records":[{"value":"'), Buffer.from([0xff]), Buffer.from('"}]}')]),
    ],
    ['an overlong form', Buffer.from('7b22c0a2', 'hex')],
    ['UTF-16', Buffer.from(body, 'utf16le')],
    ['no gzip, as was said', body, 'gzip'],
    ['an empty gzip body', '', 'gzip'],
    ['gzip cut off', gzipSync(body).subarray(0, -5), 'gzip'],
    ['gzip, unsaid', gzipSync(body)],
  ];
  for (const [name, bytes, encoding] of malformed) {
    test(`a malformed body is refused: ${name}`, async () => {
      assertFailure(await publish(topic, bytes, encoding ? encoded(encoding) : {}), 'MALFORMED_REQUEST');
    });
  }

  test('a gzip body of several members, the last of which is small', async () => {
    const members = [`{"records":[{"value":"${'x'.repeat(100_000)}"}`, ']}'].map((text) => gzipSync(text));
    acknowledged(await publish(topic, Buffer.concat(members), encoded('gzip')));
  });

  test('nesting deeper than a call stack is a value like any other', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    acknowledged(await publish(topic, `{"records":[{"value":${deep}}]}`));
    assertFailure(await publish(topic, `{"records":${deep}}`), 'INVALID_RECORD');
  });

  for (const contentType of [
    'text/plain',
    'application/xml',
    'application/octet-stream',
    'application/vnd.kafka.avro.v2+json',
    'application/vnd.kafka.v2+json',
    'application/vnd.kafka.json.v1+json',
    'application/x-www-form-urlencoded',
    'application/jsonx',
    'json',
    'application/json, text/plain',
  ]) {
    test(`${contentType} is not supported`, async () => {
      assertFailure(await publish(topic, body, type(contentType)), 'UNSUPPORTED_MEDIA_TYPE');
    });
  }

  for (const encoding of ['br', 'deflate', 'zstd', 'gzip, gzip', 'gzip, br']) {
    test(`content-encoding ${encoding} is not supported`, async () => {
      assertFailure(await publish(topic, body, encoded(encoding)), 'UNSUPPORTED_MEDIA_TYPE');
    });
  }
});

describe('the answer of a request', async () => {
  const topic = await newTopic(cluster, { partitions: 1 });
  const good = { records: [{ value: 1 }] };

  const accepted: [string | undefined, string, string][] = [
    [undefined, JSON_TYPE, JSON_TYPE],
    ['', JSON_TYPE, JSON_TYPE],
    ['*/*', JSON_TYPE, JSON_TYPE],
    ['application/*', JSON_TYPE, JSON_TYPE],
    ['application/json', JSON_TYPE, JSON_TYPE],
    ['Application/JSON; q=0.5, text/html', JSON_TYPE, JSON_TYPE],
    ['text/html, */*;q=0.1', JSON_TYPE, JSON_TYPE],
    ['*/*', JSON_V2, VENDOR_TYPE],
    [undefined, BINARY_V2, VENDOR_TYPE],
    ['application/vnd.kafka.v2+json', JSON_TYPE, VENDOR_TYPE],
    ['application/vnd.kafka+json', JSON_TYPE, VENDOR_TYPE],
    ['application/vnd.kafka.v2+json, application/vnd.kafka+json, application/json', JSON_TYPE, VENDOR_TYPE],
    ['APPLICATION/VND.KAFKA.V2+JSON', JSON_TYPE, VENDOR_TYPE],
    ['application/vnd.kafka.v2+json;q=0, application/json', JSON_TYPE, JSON_TYPE],
  ];
  for (const [accept, contentType, expected] of accepted) {
    test(`Accept: ${accept} for ${contentType}`, async () => {
      const headers = { 'content-type': contentType, ...(accept === undefined ? {} : { accept }) };
      const records = contentType === BINARY_V2 ? { records: [{ value: 'YQ==' }] } : good;
      const response = await publish(topic, records, { headers });
      acknowledged(response);
      assert.equal(response.headers['content-type'], expected);
      const failed = await publish(topic, {}, { headers });
      assertFailure(failed, 'INVALID_RECORD');
      assert.equal(failed.headers['content-type'], expected);
    });
  }

  for (const accept of [
    'text/html',
    'text/*',
    'application/xml, text/plain',
    '*/*;q=0',
    'application/json;q=0.0',
  ]) {
    test(`Accept: ${accept} is not possible, and nothing is published`, async () => {
      const before = (await readTopic(cluster, topic)).length;
      const response = await publish(topic, good, { headers: { accept } });
      assertFailure(response, 'NOT_ACCEPTABLE');
      assert.equal(response.headers['content-type'], JSON_TYPE);
      assert.equal((await readTopic(cluster, topic)).length, before);
    });
  }

  test("a refused Accept is told in the vendor's type where the request's is the vendor's", async () => {
    const headers = { accept: 'text/html', 'content-type': JSON_V2 };
    const response = await publish(topic, good, { headers });
    assertFailure(response, 'NOT_ACCEPTABLE');
    assert.equal(response.headers['content-type'], VENDOR_TYPE);
  });

  test('the answer has no headers beyond the contract', async () => {
    const { headers } = await publish(topic, good);
    assert.deepEqual(Object.keys(headers).sort(), ['content-type']);
  });
});
