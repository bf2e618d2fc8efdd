import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { handler, initializer } from '../../functions/produce/index.ts';
import type { PlatformContext } from '../../src/platform/context.ts';
import { kafkaForTests, newTopic } from '../support/cluster.ts';
import { errorTable } from '../support/errors.ts';
import { type AnswerBody, BINARY_V2, JSON_TYPE, JSON_V2, TEXT_V2 } from '../support/produce.ts';
import { newSeed, type Random, randomFrom } from '../support/random.ts';
import { readTopic } from '../support/records.ts';

const CASES = 3_000;

const cluster = await kafkaForTests();
const topic = await newTopic(cluster, { partitions: 3 });
const variables: Record<string, string> = {
  KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_SSL,
  KAFKA_SASL_USERNAME: cluster.users.app.username,
  KAFKA_SASL_PASSWORD: cluster.users.app.password,
  KAFKA_SSL_CA_LOCATION: cluster.caLocation,
  KAFKA_TOPIC: topic,
  PRODUCE_TOPICS: `${topic},orders,nowhere*`,
  PRODUCE_MAX_BODY_BYTES: '100000',
  LOG_LEVEL: 'error',
};

function context(requestId: string): PlatformContext {
  return {
    getRequestID: () => requestId,
    getRemainingTimeInMilliSeconds: () => 30_000,
    getUserData: (name) => variables[name],
  };
}

const oddities = [
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  1e21,
  '',
  'text',
  '\u0000',
  '\ud800',
  'é😀',
  [],
  [null],
  {},
  { toString: 1 },
  { __proto__: null },
  'x'.repeat(300),
] as const;

const names = [
  'key',
  'value',
  'partition',
  'timestamp',
  'headers',
  'records',
  'topic',
  'name',
  'x',
  '__proto__',
] as const;

function anything(random: Random, depth = 3): unknown {
  if (depth === 0 || random.chance(0.5)) return random.pick(oddities);
  const count = random.below(4);
  if (random.chance(0.4)) return Array.from({ length: count }, () => anything(random, depth - 1));
  return Object.fromEntries(
    Array.from({ length: count }, () => [random.pick(names), anything(random, depth - 1)]),
  );
}

/** Mostly what stands at its place in a good request. */
function usually<T>(random: Random, choices: readonly [T, ...T[]], probability = 0.9): unknown {
  return random.chance(probability) ? random.pick(choices) : anything(random);
}

function record(random: Random): unknown {
  if (random.chance(0.05)) return anything(random);
  const members: Record<string, unknown> = {};
  if (random.chance(0.7)) members.key = usually(random, ['YQ==', 'a', '', null, { n: 1 }]);
  if (random.chance(0.8)) members.value = usually(random, ['YQ==', '', null, 'YWJj']);
  if (random.chance(0.3)) members.partition = usually(random, [0, 1, 2, null]);
  if (random.chance(0.2)) members.timestamp = usually(random, [0, 1_700_000_000_000, null]);
  if (random.chance(0.3)) members.headers = usually(random, [[], [{ key: 'a', value: 'YQ==' }], null]);
  if (random.chance(0.03)) members[random.pick(names)] = anything(random);
  return members;
}

function body(random: Random): Buffer {
  const document: Record<string, unknown> = {
    records: random.chance(0.95)
      ? Array.from({ length: random.below(4) }, () => record(random))
      : anything(random),
  };
  if (random.chance(0.05)) document[random.pick([...names, 'key_schema_id'])] = anything(random);
  if (random.chance(0.05)) document.topic = random.pick([topic, 'nowhere', 'forbidden', '..']);
  const text = JSON.stringify(random.chance(0.97) ? document : anything(random)) ?? '';
  return mangle(random, Buffer.from(text));
}

function mangle(random: Random, bytes: Buffer): Buffer {
  if (random.chance(0.8) || bytes.length === 0) return bytes;
  const at = random.below(bytes.length);
  switch (random.below(6)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      bytes[at] = random.below(256);
      return bytes;
    case 2:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([random.below(256)]), bytes.subarray(at)]);
    case 3:
      return Buffer.concat([Buffer.from('\ufeff'), bytes]);
    case 4:
      return Buffer.from(Array.from({ length: at }, () => random.below(256)));
    default:
      return Buffer.alloc(150_000, ' ');
  }
}

const types = [JSON_TYPE, JSON_V2, BINARY_V2, TEXT_V2] as const;
const oddTypes = [
  '',
  'text/plain',
  ';',
  'application/*',
  'APPLICATION/JSON ;x',
  'é',
  '\u0000',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
] as const;
const accepts = ['*/*', JSON_TYPE, 'application/vnd.kafka.v2+json', 'text/html', ';q=0', ',', ''] as const;

function headers(random: Random): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  if (random.chance(0.9)) {
    const name = random.pick(['content-type', 'Content-Type', 'CONTENT-TYPE']);
    result[name] = random.chance(0.9) ? random.pick(types) : usually(random, oddTypes, 0.7);
  }
  if (random.chance(0.3)) result.accept = usually(random, accepts);
  if (random.chance(0.1)) result['content-encoding'] = usually(random, ['gzip', 'identity', 'br', '']);
  if (random.chance(0.1)) result['x-request-id'] = anything(random);
  if (random.chance(0.05))
    result[random.pick(['ce-id', 'ce-type', 'ce-source', 'ce-specversion'])] = anything(random);
  return result;
}

const paths = [`/topics/${topic}`, `/v1/topics/${topic}`, `/topics/${topic}/partitions/1`, '/'] as const;
const oddPaths = [
  '',
  '/topics/nowhere',
  '/topics/forbidden',
  '/topics/__consumer_offsets',
  '/topics/%ff',
  '/topics/%',
  '/topics/..',
  '/topics/',
  '/topics',
  '/x',
  '/topics/a/b/c',
  `/topics/${topic}/partitions/9`,
  `/topics/${topic}/partitions/x`,
  `/webhooks/${topic}/x`,
  '/openapi.json',
  '/healthy',
  '/../..',
  '/topics/%00',
  '\u0000',
] as const;

function path(random: Random): unknown {
  return random.chance(0.9) ? random.pick(paths) : usually(random, oddPaths);
}

function apigEvent(random: Random): Record<string, unknown> {
  const bytes = body(random);
  const sent = random.chance(0.1) ? gzipSync(bytes) : bytes;
  const isBase64Encoded = random.chance(0.8) || sent !== bytes;
  const event: Record<string, unknown> = {
    httpMethod: random.chance(0.9) ? 'POST' : usually(random, ['GET', 'PUT', 'post', '', 'OPTIONS']),
    path: path(random),
    headers: headers(random),
    body: sent.toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
    pathParameters: usually<unknown>(random, [{}, null, { '': 'x' }, { proxy: 'x' }], 0.98),
    queryStringParameters: usually<unknown>(random, [{}, null, { a: ['1', '2'] }]),
    requestContext: usually(random, [{ requestId: 'abc', stage: 'RELEASE' }, undefined]),
  };
  if (sent !== bytes) event.headers = { ...headers(random), 'content-encoding': 'gzip' };
  return event;
}

/** Version 2 of AWS's event with the same content. */
function awsEvent(random: Random): Record<string, unknown> {
  const { httpMethod, path, requestContext, ...event } = apigEvent(random);
  const http = usually(random, [{ method: httpMethod, path }], 0.98);
  return {
    ...event,
    rawPath: path,
    requestContext: { ...Object(requestContext), stage: anything(random), http },
  };
}

const samples = readdirSync(new URL('../../events', import.meta.url))
  .filter((file) => file.endsWith('.json'))
  .map((file) => readFileSync(new URL(`../../events/${file}`, import.meta.url), 'utf8'));

/** A documented event, of whichever function, with some member replaced. */
function spoiltSample(random: Random): unknown {
  const event = JSON.parse(samples[random.below(samples.length)] ?? 'null') as Record<string, unknown>;
  const members = Object.keys(event);
  const name = members[random.below(members.length)];
  if (name) event[name] = anything(random);
  if (random.chance(0.3)) delete event[members[random.below(members.length)] ?? ''];
  // So that what is acknowledged can be counted.
  const text = JSON.stringify(event).replaceAll('orders', topic);
  return JSON.parse(text.length < 100_000 ? text : 'null');
}

function anyEvent(random: Random): unknown {
  const kind = random.below(100);
  if (kind < 75) return apigEvent(random);
  if (kind < 85) return awsEvent(random);
  if (kind < 95) return spoiltSample(random);
  return anything(random);
}

type Answer = Awaited<ReturnType<typeof handler>>;

/** Each header's values in one text, in whichever form the answer has them. */
function headersOf({ headers, multiValueHeaders }: Answer): Record<string, string> {
  const entries = Object.entries(multiValueHeaders ?? headers ?? {});
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

/** How many records this answer acknowledges; throws where it breaks the contract. */
function checkAnswer(result: Answer): number {
  const { statusCode, body, isBase64Encoded, headers: single, multiValueHeaders, ...rest } = result;
  assert.deepEqual(rest, {});
  assert.ok(!single !== !multiValueHeaders, 'headers in one form');
  const headers = headersOf(result);
  assert.equal(isBase64Encoded, false);
  for (const [name, value] of Object.entries(headers)) {
    assert.match(name, /^[a-z-]+$/);
    assert.match(String(value), /^[\x20-\x7e]+$/);
  }
  assert.ok(headers['x-request-id']);
  const answer = JSON.parse(body) as AnswerBody;
  if (statusCode >= 400) {
    const kind = errorTable.find(({ code }) => code === answer.code);
    assert.ok(kind, `${answer.code} is in the table`);
    assert.ok(statusCode < 500, 'no failure of the server');
    const { error_code, retriable, delivery } = answer;
    assert.deepEqual(
      { code: answer.code, status: statusCode, errorCode: error_code, retriable, delivery },
      kind,
    );
    return 0;
  }
  assert.ok(statusCode === 200 || statusCode === 207, `${statusCode}`);
  return answer.offsets?.filter(({ offset }) => offset !== null).length ?? 0;
}

test('the documented events, through the handler as the platform calls it', async (t) => {
  t.mock.method(console, 'warn', () => {});
  assert.deepEqual([handler.length, initializer.length], [2, 2]);
  await cluster.createTopic('orders', { partitions: 1 });
  const publish = async (name: string) => {
    const event = readFileSync(new URL(`../../events/${name}.json`, import.meta.url), 'utf8');
    return handler(JSON.parse(event), context(name));
  };
  const json = '"a" {"n":1}';
  const published = {
    'produce-apig': json,
    'produce-aws-v1': json,
    'produce-aws-v2': json,
    'produce-aws-function-url': json,
    'produce-aws-alb': json,
    // In the binary format, which only a header says.
    'produce-aws-alb-multi-value': 'a {"n":1}',
  };
  for (const name of Object.keys(published)) {
    const result = await publish(name);
    assert.equal(checkAnswer(result), 1, result.body);
    assert.equal(headersOf(result)['x-request-id'], name);
  }
  for (const name of ['produce-apig-get', 'produce-aws-vpc-lattice']) {
    const refused = await publish(name);
    assert.equal(checkAnswer(refused), 0);
    assert.ok(refused.statusCode >= 400, name);
  }
  assert.deepEqual(
    (await readTopic(cluster, 'orders')).map(({ key, value }) => `${key} ${value}`),
    Object.values(published),
  );
});

test('whatever comes in, only our codes come out, and nothing is published by a refused request', async (t) => {
  const errors: string[] = [];
  t.mock.method(console, 'error', (line: string) => errors.push(line));
  t.mock.method(console, 'warn', () => {});
  await initializer(context('init'), undefined);
  const seed = newSeed();
  let accepted = 0;
  let published = 0;
  for (let n = 0; n < CASES; n++) {
    const text = JSON.stringify(anyEvent(randomFrom(seed + n))) ?? 'null';
    try {
      const acknowledged = checkAnswer(await handler(JSON.parse(text), context(`request-${n}`)));
      published += acknowledged;
      if (acknowledged > 0) accepted++;
    } catch (error) {
      throw new Error(`SEED=${seed + n}, case 0: ${text.slice(0, 2_000)}`, { cause: error });
    }
  }
  assert.deepEqual(errors, [], `SEED=${seed}: a defect was logged`);
  assert.ok(accepted > CASES / 10, `${accepted} of ${CASES} accepted: the fuzz still reaches the cluster`);
  assert.ok(accepted < CASES / 1.5, `${accepted} of ${CASES} accepted: the fuzz still finds what is refused`);
  assert.equal((await readTopic(cluster, topic)).length, published, `SEED=${seed}: acknowledged and there`);
  t.diagnostic(`seed ${seed}: ${CASES} events, ${accepted} accepted, ${published} records`);
});
