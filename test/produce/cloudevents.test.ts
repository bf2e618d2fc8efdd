import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { CloudEvent, HTTP, Kafka } from 'cloudevents';
import type { ProduceConfig } from '../../functions/produce/config.ts';
import { createPublish } from '../../functions/produce/publish.ts';
import type { HttpResponse } from '../../src/http/message.ts';
import { connectionConfigFor, newTopic } from '../support/cluster.ts';
import { recordingLog } from '../support/log.ts';
import {
  acknowledged,
  assertFailure,
  bodyOf,
  JSON_V2,
  post,
  produceDefaults,
  VENDOR_TYPE,
} from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';
import { type ReadRecord, readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const STRUCTURED = 'application/cloudevents+json; charset=UTF-8';
const BATCHED = 'application/cloudevents-batch+json; charset=UTF-8';

const cluster = await sharedCluster();
const { producer } = newProducer(connectionConfigFor(cluster));

function publisher(config: Partial<ProduceConfig> = {}) {
  const publish = createPublish({
    producer,
    config: { ...produceDefaults, ...config },
    log: recordingLog(),
  });
  return (...args: Parameters<typeof post>): Promise<HttpResponse> =>
    publish(post(...args), Date.now() + 30_000);
}

const publish = publisher();
const oneTopic = () => newTopic(cluster, { partitions: 1 });

const required = { 'ce-id': '1', 'ce-source': '/a', 'ce-specversion': '1.0', 'ce-type': 't' };
const event = { id: '1', source: '/a', specversion: '1.0', type: 't' };

/** Sends each request to a topic of its own partition order, and reads what became of them. */
async function roundTrip(...requests: { headers: Record<string, string>; body?: unknown }[]) {
  const topic = await oneTopic();
  for (const { headers, body = '' } of requests) acknowledged(await publish(topic, body, { headers }));
  return readTopic(cluster, topic);
}

function headersOf({ headers }: ReadRecord): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, `${value}`]));
}

/** What the SDK makes of a record, by its own reading of the Kafka binding. */
function toEvent(record: ReadRecord | undefined): CloudEvent<unknown> {
  assert.ok(record);
  const value = headersOf(record)['content-type']?.startsWith('application/cloudevents')
    ? `${record.value}`
    : record.value;
  const message = { headers: headersOf(record), key: `${record.key ?? ''}`, value, body: value };
  return Kafka.toEvent(message) as CloudEvent<unknown>;
}

/** The SDK's headers with their names as HTTP has them on the way: in lower case. */
function sent({ headers, body }: ReturnType<typeof HTTP.binary>) {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return { headers: Object.fromEntries(entries) as Record<string, string>, body };
}

describe('CloudEvents as the SDK sends them', () => {
  const full = new CloudEvent({
    id: 'A234-1234-1234',
    source: '/mycontext/subcontext',
    type: 'com.example.someevent',
    time: '2018-04-05T03:56:24.000Z',
    subject: 'larger-context',
    dataschema: 'https://example.com/schema',
    datacontenttype: 'application/json',
    comexampleextension1: 'value',
    comexampleothervalue: 5,
    data: { appinfoA: 'abc', appinfoB: 123, appinfoC: true },
  });

  test('a binary event becomes one record', async () => {
    const [record] = await roundTrip(sent(HTTP.binary(full)));
    assert.ok(record);
    assert.equal(record.key, null);
    assert.equal(`${record.value}`, JSON.stringify(full.data));
    assert.deepEqual(headersOf(record), {
      'content-type': 'application/json',
      ce_id: full.id,
      ce_source: full.source,
      ce_specversion: '1.0',
      ce_type: full.type,
      ce_time: full.time,
      ce_subject: full.subject,
      ce_dataschema: full.dataschema,
      ce_comexampleextension1: 'value',
      ce_comexampleothervalue: '5',
    });
    assert.deepEqual(toEvent(record).data, full.data);
  });

  test('a binary event keeps bytes as they are', async () => {
    const data = Uint8Array.from([0, 255, 128, 10]);
    const { headers } = sent(
      HTTP.binary(full.cloneWith({ datacontenttype: 'application/octet-stream', data })),
    );
    const [record] = await roundTrip({ headers, body: Buffer.from(data) });
    assert.deepEqual(record?.value, Buffer.from(data));
    assert.equal(record && headersOf(record)['content-type'], 'application/octet-stream');
  });

  test('a structured event becomes one record', async () => {
    const message = sent(HTTP.structured(full));
    const [record] = await roundTrip(message);
    assert.ok(record);
    assert.deepEqual(headersOf(record), { 'content-type': STRUCTURED });
    assert.equal(`${record.value}`, message.body);
    const { partitionkey: _, ...read } = toEvent(record).toJSON();
    assert.deepEqual(read, full.toJSON());
  });

  test('a batch becomes one record and one entry of offsets for each event', async () => {
    const topic = await oneTopic();
    const events = [full, full.cloneWith({ id: 'B' }), full.cloneWith({ id: 'C', data: 'x  y' })];
    const response = await publish(topic, JSON.stringify(events), { headers: { 'content-type': BATCHED } });
    assert.deepEqual(acknowledged(response), ['0/0', '0/1', '0/2']);
    const records = await readTopic(cluster, topic);
    assert.deepEqual(
      records.map((record) => `${record.value}`),
      events.map((one) => JSON.stringify(one)),
    );
    for (const record of records) assert.deepEqual(headersOf(record), { 'content-type': STRUCTURED });
  });
});

describe('a binary CloudEvent', () => {
  test('an event without data becomes a tombstone', async () => {
    const [record] = await roundTrip({ headers: required });
    assert.equal(record?.value, null);
    assert.deepEqual(record && headersOf(record), {
      ce_id: '1',
      ce_source: '/a',
      ce_specversion: '1.0',
      ce_type: 't',
    });
  });

  test('an empty text becomes an empty value, not a tombstone', async () => {
    const types = ['text/plain', 'text/plain; charset=utf-8', 'application/octet-stream', 'application/xml'];
    const read = await roundTrip(
      ...types.map((type) => ({ headers: { ...required, 'content-type': type } })),
      {
        headers: { ...required, 'content-type': 'text/plain', 'content-encoding': 'gzip' },
        body: gzipSync(''),
      },
    );
    assert.deepEqual(
      read.map(({ value }) => value),
      read.map(() => Buffer.alloc(0)),
    );
  });

  test('an event of a JSON type without a body has no data', async () => {
    const types = ['application/json', 'Application/JSON; charset=utf-8', 'application/geo+json'];
    const fromSdk = sent(HTTP.binary(new CloudEvent({ id: '1', source: '/a', type: 't' })));
    assert.match(String(fromSdk.headers['content-type']), /json/);
    const read = await roundTrip(
      ...types.map((type) => ({ headers: { ...required, 'content-type': type } })),
      { headers: fromSdk.headers },
    );
    assert.deepEqual(
      read.map(({ value }) => value),
      read.map(() => null),
    );
  });

  test('the body is the data, byte for byte, whatever its type', async () => {
    const bodies = ['{"records":[{"value":1}]}', '  ', '\ufeffnull', Buffer.from([0xff, 0, 0xc0])];
    const types = ['application/json', JSON_V2, 'text/plain; charset="latin1"', 'application/x-unheard-of'];
    const read = await roundTrip(
      ...bodies.map((body, i) => ({ headers: { ...required, 'content-type': types[i] ?? '' }, body })),
    );
    assert.deepEqual(
      read.map(({ value }) => value),
      bodies.map((body) => Buffer.from(body)),
    );
    assert.deepEqual(
      read.map((record) => headersOf(record)['content-type']),
      types,
    );
  });

  test('a body that is compressed on the way stands in the topic as it was before', async () => {
    const [record] = await roundTrip({
      headers: { ...required, 'content-encoding': 'gzip' },
      body: gzipSync('the data'),
    });
    assert.equal(`${record?.value}`, 'the data');
  });

  test('a request that lacks one of the four headers is not a CloudEvent', async () => {
    const { 'ce-type': _, ...three } = required;
    const topic = await oneTopic();
    assertFailure(
      await publish(topic, 'x', { headers: { ...three, 'content-type': 'text/plain' } }),
      'UNSUPPORTED_MEDIA_TYPE',
    );
    acknowledged(await publish(topic, { records: [{ value: 1 }] }, { headers: three }));
    const [record] = await readTopic(cluster, topic);
    assert.deepEqual(record?.headers, {});
  });

  const decoded: [header: string, attribute: string, why: string][] = [
    ['Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀', 'percent-decoded'],
    ['%e2%82%ac', '€', 'lower-case digits'],
    ['%41b%63', 'Abc', 'encoded without need'],
    ['%2541', '%41', 'exactly once'],
    ['100%', '100%', 'a lone percent sign'],
    ['%zz%4', '%zz%4', 'no two digits'],
    ['"a \\"quoted\\" \\\\ value"', 'a "quoted" \\ value', 'a quoted string'],
    ['"%22"', '"', 'unquoted first, then decoded'],
    ['%22a%22', '"a"', 'encoded quotes stay'],
    ['a"b c"d', 'ab cd', 'a quoted part'],
    ['"never closed', '"never closed', 'a quote that is never closed'],
    ['"never closed\\', '"never closed\\', 'nor its backslash'],
    ['é', 'é', 'not encoded, as a gateway hands it on'],
    ['Ã©', 'é', 'not encoded, as the bytes that node:http hands on'],
    ['a+b', 'a+b', 'a plus is a plus'],
  ];
  test('header values are decoded as the HTTP binding says', async () => {
    const read = await roundTrip(
      ...decoded.map(([header]) => ({ headers: { ...required, 'ce-subject': header }, body: 'x' })),
    );
    for (const [index, [header, attribute, why]] of decoded.entries()) {
      assert.equal(String(read[index]?.headers.ce_subject), attribute, `${why}: ${header}`);
    }
  });

  const refused: [string, Record<string, string>, string][] = [
    ['an overlong encoding', { 'ce-subject': '%C0%A0' }, 'ce-subject'],
    ['half of a character', { 'ce-subject': '%E2%82' }, 'ce-subject'],
    ['a surrogate', { 'ce-subject': '%ED%A0%80' }, 'ce-subject'],
    ['a control character', { 'ce-subject': 'a%00b' }, 'ce-subject'],
    ['a line break', { 'ce-subject': 'a%0D%0Ab' }, 'ce-subject'],
    ['a noncharacter', { 'ce-subject': '%EF%BF%BF' }, 'ce-subject'],
    ['datacontenttype twice', { 'ce-datacontenttype': 'text/plain' }, 'ce-datacontenttype'],
    ['data as an attribute', { 'ce-data': 'x' }, 'ce-data'],
    ['an empty id', { 'ce-id': '' }, 'ce-id'],
    ['an empty source', { 'ce-source': '' }, 'ce-source'],
    ['an empty type', { 'ce-type': '' }, 'ce-type'],
    ['an empty subject', { 'ce-subject': '' }, 'ce-subject'],
    ['another version', { 'ce-specversion': '0.3' }, 'ce-specversion'],
    ['a source that is no URI reference', { 'ce-source': 'a%20b' }, 'ce-source'],
    ['no time', { 'ce-time': 'yesterday' }, 'ce-time'],
    ['a date alone', { 'ce-time': '2018-04-05' }, 'ce-time'],
    ['a time without zone', { 'ce-time': '2018-04-05T17:31:00' }, 'ce-time'],
    ['month 13', { 'ce-time': '2018-13-05T17:31:00Z' }, 'ce-time'],
    ['a relative schema', { 'ce-dataschema': '/schema' }, 'ce-dataschema'],
    ['a name with a hyphen', { 'ce-my-extension': 'x' }, 'ce-my-extension'],
    ['a name with an underscore', { 'ce-my_extension': 'x' }, 'ce-my_extension'],
  ];
  for (const [what, headers, path] of refused) {
    test(`refused: ${what}`, async () => {
      const answer = assertFailure(
        await publish('any', 'x', { headers: { ...required, ...headers } }),
        'INVALID_RECORD',
      );
      assert.deepEqual(
        answer.validation_errors?.map((error) => error.path),
        [path],
      );
    });
  }

  test('the time must be one of RFC 3339', async () => {
    const times = ['2018-04-05T17:31:00Z', '2018-04-05t17:31:00.123456789z', '2018-12-31T23:59:60+05:30'];
    const read = await roundTrip(...times.map((time) => ({ headers: { ...required, 'ce-time': time } })));
    assert.deepEqual(
      read.map(({ headers }) => `${headers.ce_time}`),
      times,
    );
  });
});

describe('source and dataschema, by RFC 3986', () => {
  const sources = [
    ...[
      'a',
      '/',
      '//',
      '.',
      '..',
      '?',
      '#',
      '/a/b;v=1.2/c?d=e?f/g#h/i?j',
      'a/b:c',
      './a:b',
      '?a:b',
      '//h:80/x',
    ],
    ...['urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66', 'mailto:a@b.example', 'tel:+1-816-555-1212'],
    ...[
      'https://user:pw@h.example:8443/a%20b/',
      'file:///etc',
      'ldap://[2001:db8::7]/c=GB?one',
      'x:',
      "a!$&'()*+,=",
    ],
    ...['https://github.com/cloudevents', '1-555-123-4567', 'sensors/tn-1234567/alerts', '//[v1.a:b]/'],
  ];
  const others = [
    'a b',
    'a\\b',
    'a|b',
    '<a>',
    '"a"',
    '{a}',
    'a^b',
    '`',
    '%',
    '%2',
    '%zz',
    'a%',
    '[::1]',
    'a#b#c',
  ];
  const wrong = [
    ...others,
    '1a:b',
    ':a',
    'a_b:c',
    '//h:port/',
    '//[::1',
    'https://h:8o/',
    '//a@b@c/',
    'é',
    '/a[0]',
  ];

  const answers = (name: string, values: string[]) =>
    Promise.all(
      values.map(async (value) => {
        const body = { ...event, [name]: value };
        const response = await publish('nowhere', body, { headers: { 'content-type': STRUCTURED } });
        return [value, bodyOf(response).code, bodyOf(response).validation_errors?.[0]?.path];
      }),
    );

  test('URI references are sources', async () => {
    assert.deepEqual(
      await answers('source', sources),
      sources.map((source) => [source, 'UNKNOWN_TOPIC', undefined]),
    );
  });

  test('anything else is refused as a source', async () => {
    assert.deepEqual(
      await answers('source', wrong),
      wrong.map((source) => [source, 'INVALID_RECORD', 'source']),
    );
    const refused = await publish('any', '', { headers: { ...required, 'ce-source': 'my source' } });
    assert.match(
      bodyOf(refused).message ?? '',
      /^ce-source must be a URI reference of RFC 3986, such as \/orders/,
    );
  });

  test('a schema is a URI with its scheme', async () => {
    const schemas = ['https://example.com/schema#v1', 'urn:x:y'];
    const relative = ['/schema', 'schema', '//h/schema', '', 'https://a b', '1a:b', 'urn:<x>', 'https://h/é'];
    assert.deepEqual(await answers('dataschema', [...schemas, ...relative]), [
      ...schemas.map((schema) => [schema, 'UNKNOWN_TOPIC', undefined]),
      ...relative.map((schema) => [schema, 'INVALID_RECORD', 'dataschema']),
    ]);
  });
});

describe('a structured CloudEvent', () => {
  const structured = (body: unknown, changes = {}) =>
    publish('any', body, { headers: { 'content-type': STRUCTURED }, ...changes });

  test('the value is the JSON as it was sent', async () => {
    const texts = [
      ' { "id":"1", "source":"/a","specversion":"1.0","type":"t", "data" : 1.10 }\n',
      JSON.stringify({ ...event, data: null }),
      JSON.stringify({ ...event, subject: null, ext: true, n: -5, data_base64: 'AP8=' }),
      JSON.stringify(event),
      JSON.stringify({ ...event, data: ['any'], datacontenttype: 'text/xml' }),
    ];
    const read = await roundTrip(...texts.map((body) => ({ headers: { 'content-type': STRUCTURED }, body })));
    assert.deepEqual(
      read.map(({ value }) => `${value}`),
      texts,
    );
  });

  test('its media type may be in any case, and headers that repeat attributes change nothing', async () => {
    const types = [
      'application/cloudevents+json',
      'Application/CloudEvents+JSON; charset=utf-8',
      'application/cloudevents',
    ];
    const headers = types.map((type) => ({
      ...required,
      'ce-id': 'another',
      'ce-time': '?',
      'content-type': type,
    }));
    const read = await roundTrip(...headers.map((one) => ({ headers: one, body: JSON.stringify(event) })));
    for (const record of read) assert.deepEqual(headersOf(record), { 'content-type': STRUCTURED });
  });

  const refused: [string, unknown, string][] = [
    ['no object', 'null', 'body'],
    ['a list', [event], 'body'],
    ['no id', { ...event, id: undefined }, 'id'],
    ['a null id', { ...event, id: null }, 'id'],
    ['a number as id', { ...event, id: 1 }, 'id'],
    ['a number as version', { ...event, specversion: 1.0 }, 'specversion'],
    ['an upper-case name', { ...event, myExtension: 'x' }, 'myExtension'],
    ['an object as an attribute', { ...event, ext: {} }, 'ext'],
    ['a fraction as an attribute', { ...event, ext: 1.5 }, 'ext'],
    ['more than 32 bits', { ...event, ext: 2 ** 31 }, 'ext'],
    ['data twice', { ...event, data: null, data_base64: 'AA==' }, 'data_base64'],
    ['data that is not base64', { ...event, data_base64: '???' }, 'data_base64'],
    ['a control character', { ...event, subject: 'a\u0007' }, 'subject'],
    ['a lone surrogate', { ...event, subject: 'a\ud800' }, 'subject'],
    ['no media type', { ...event, datacontenttype: 'json' }, 'datacontenttype'],
    ['__proto__', '{"id":"1","source":"/a","specversion":"1.0","type":"t","__proto__":{}}', '__proto__'],
  ];
  for (const [what, body, path] of refused) {
    test(`refused: ${what}`, async () => {
      const answer = assertFailure(await structured(body), 'INVALID_RECORD');
      assert.deepEqual(
        answer.validation_errors?.map((error) => error.path),
        [path],
      );
    });
  }

  test('a body that is not JSON, not UTF-8, or in an unknown format is refused', async () => {
    assertFailure(await structured('{'), 'MALFORMED_REQUEST');
    assertFailure(await structured(''), 'MALFORMED_REQUEST');
    assertFailure(await structured(Buffer.from('{"id":"\xff"}', 'latin1')), 'MALFORMED_REQUEST');
    for (const type of [
      'application/cloudevents+avro',
      'application/cloudevents-batch+avro',
      'application/cloudeventsx',
    ]) {
      const response = await structured(event, { headers: { ...required, 'content-type': type } });
      assertFailure(response, 'UNSUPPORTED_MEDIA_TYPE');
    }
  });
});

describe('a batch of CloudEvents', () => {
  const batch = (topic: string, body: unknown) =>
    publish(topic, body, { headers: { 'content-type': BATCHED } });

  test('an empty batch publishes nothing', async () => {
    const topic = await oneTopic();
    assert.deepEqual(acknowledged(await batch(topic, [])), []);
    assert.deepEqual(await readTopic(cluster, topic), []);
  });

  test('each event arrives as it was sent', async () => {
    const topic = await oneTopic();
    const first = '{ "id":"1", "source":"/a","specversion":"1.0","type":"t","data": 1e3 }';
    acknowledged(await batch(topic, `\n[ ${first} ,${JSON.stringify(event)}]`));
    assert.deepEqual(
      (await readTopic(cluster, topic)).map(({ value }) => `${value}`),
      [first, JSON.stringify(event)],
    );
  });

  test('one bad event keeps the whole batch from being published, and the answer names it', async () => {
    const topic = await oneTopic();
    const answer = assertFailure(await batch(topic, [event, { ...event, id: '' }, 3]), 'INVALID_RECORD');
    assert.deepEqual(
      answer.validation_errors?.map(({ path }) => path),
      ['[1].id', '[2]'],
    );
    assertFailure(await batch(topic, event), 'INVALID_RECORD');
    assertFailure(await batch(topic, Array(10_001).fill(event)), 'INVALID_RECORD');
    assert.deepEqual(await readTopic(cluster, topic), []);
  });
});

describe('key, topic and partition of a CloudEvent', () => {
  test('CLOUDEVENTS_PARTITION_KEY: the attribute is the key, and stays an attribute', async () => {
    const topic = await oneTopic();
    const keyed = publisher({ partitionKeyIsKey: true });
    const headers = { ...required, 'ce-partitionkey': 'k%C3%A9' };
    acknowledged(await keyed(topic, 'x', { headers }));
    acknowledged(
      await keyed(topic, { ...event, partitionkey: 'k' }, { headers: { 'content-type': STRUCTURED } }),
    );
    acknowledged(await keyed(topic, 'x', { headers: required }));
    acknowledged(await publish(topic, 'x', { headers }));
    const read = await readTopic(cluster, topic);
    assert.deepEqual(
      read.map(({ key }) => key && `${key}`),
      ['ké', 'k', null, null],
    );
    assert.equal(String(read[0]?.headers.ce_partitionkey), 'ké');
    const empty = { ...required, 'ce-partitionkey': '' };
    assertFailure(await keyed(topic, 'x', { headers: empty }), 'INVALID_RECORD');
  });

  test('an event may go to a partition, and to KAFKA_TOPIC', async () => {
    const topic = await newTopic(cluster, { partitions: 3 });
    const path = `/topics/${topic}/partitions/2`;
    assert.deepEqual(acknowledged(await publish('', 'x', { path, headers: required })), ['2/0']);
    const withDefault = publisher({ defaultTopic: topic });
    acknowledged(await withDefault('', 'x', { path: '/', headers: required }));
    assertFailure(await publish('', 'x', { path: '/', headers: required }), 'INVALID_RECORD');
    assertFailure(await publish('__consumer_offsets', 'x', { headers: required }), 'TOPIC_NOT_ALLOWED');
  });

  test('CloudEvents win over the formats of the REST Proxy, whose clients still get their type', async () => {
    const topic = await oneTopic();
    const headers = { ...required, 'content-type': JSON_V2 };
    const response = await publish(topic, { records: [{ value: 1 }] }, { headers });
    acknowledged(response);
    assert.equal(response.headers['content-type'], VENDOR_TYPE);
    assert.equal(bodyOf(response).offsets?.length, 1);
    const [record] = await readTopic(cluster, topic);
    assert.equal(`${record?.value}`, '{"records":[{"value":1}]}');
  });
});
