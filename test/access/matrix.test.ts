/**
 * Who may do what: every route of the table, for every kind of caller, at the HTTP server and at the functions behind
 * APIG and AWS's API Gateway. A route that is new in the table is tested here without being named.
 */
import assert from 'node:assert/strict';
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { toApigEvent } from '../../local/functiongraph/apig.ts';
import { type Runtime, startRuntime } from '../../local/functiongraph/runtime.ts';
import type { Need } from '../../src/access/caller.ts';
import { allRoutes, type Method } from '../../src/http/routes.ts';
import { buildOwn } from '../support/bundle.ts';
import { newTopic } from '../support/cluster.ts';
import { scratchFolder } from '../support/folders.ts';
import { startHttpFunction } from '../support/http-function.ts';
import { readTopic } from '../support/records.ts';
import { sharedCluster } from '../support/shared-cluster.ts';

const cluster = await sharedCluster();
const topic = await newTopic(cluster, { partitions: 1 });
const built = await buildOwn({ outdir: scratchFolder('functions') });
const directoryOf = (name: string) => built.find(({ source }) => source === name)?.directory ?? '';

const SECRET = 'open-sesame';
/** By their scopes; the name of a caller is its scopes' place. */
const scopesOf = {
  everything: undefined,
  publish: `publish:${topic}`,
  prefix: `publish:${topic.slice(0, -1)}*`,
  others: 'publish:other+publish:also.*',
  pull: 'pull',
  check: 'check',
  metrics: 'metrics',
} as const;
type Name = keyof typeof scopesOf;
const names = Object.keys(scopesOf) as Name[];
const keyOf = (name: string) => `key of ${name}`.replaceAll(' ', '-');
const entryOf = (name: Name) => {
  const scopes = scopesOf[name];
  const hash = createHash('sha256').update(keyOf(name)).digest('hex');
  return `${hash}=${name}${scopes === undefined ? '' : `:${scopes}`}`;
};

const variables = {
  HTTP_API_KEYS: names.map(entryOf).join(','),
  KAFKA_TOPIC: topic,
  KAFKA_GROUP_ID: `group-${randomUUID()}`,
  CONSUME_TOPICS: topic,
  CONSUME_SINK: 'log',
  CONSUME_DEAD_LETTER_TOPIC: 'none',
};
const signedVariables = { ...variables, WEBHOOK_SECRET: SECRET };

/** Whether a caller may, by its needs. A second writing of the rule: there is nothing to look up here. */
const mayBy: Record<Need, readonly Name[]> = {
  nothing: names,
  'a key': names,
  publish: ['everything', 'publish', 'prefix'],
  pull: ['everything', 'pull'],
  check: ['everything', 'check'],
  metrics: ['everything', 'metrics'],
};

interface Ask {
  method: Method;
  path: string;
  headers: Record<string, string>;
  body: string;
}
interface Answer {
  status: number;
  code?: string;
  message?: string;
}
type Door = (ask: Ask) => Promise<Answer>;

function answerOf(status: number, text: string): Answer {
  if (status < 400) return { status };
  const { code, message } = JSON.parse(text);
  return { status, code, message };
}

async function startServer(more: Record<string, string>) {
  return startHttpFunction({ directory: directoryOf('http') }, cluster, more);
}

function serverDoor({ url }: { url: string }): Door {
  return async ({ method, path, headers, body }) => {
    const response = await fetch(`${url}${path}`, { method, headers, ...(method === 'POST' && { body }) });
    return answerOf(response.status, await response.text());
  };
}

const runtimes = new Map<string, Runtime>();
after(() => Promise.all([...runtimes.values()].map((runtime) => runtime.stop())));

/** The function that serves a path, with these variables. */
function runtimeOf(path: string, more: Record<string, string>): Runtime {
  const own: Readonly<Record<string, string>> = {
    '/connectivity-check': 'connectivity-check',
    '/consume-batch': 'consume-batch',
  };
  const functionName = own[path] ?? 'produce';
  const id = `${functionName} ${'WEBHOOK_SECRET' in more}`;
  const runtime =
    runtimes.get(id) ??
    startRuntime({
      directory: directoryOf(functionName),
      functionName,
      initializer: 'index.initializer',
      userData: {
        KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_SSL,
        KAFKA_SSL_CA_LOCATION: cluster.caLocation,
        KAFKA_SASL_USERNAME: cluster.users.app.username,
        ...more,
      },
      encryptedUserData: { KAFKA_SASL_PASSWORD: cluster.users.app.password },
    });
  runtimes.set(id, runtime);
  return runtime;
}

const apigEvent = ({ method, path, headers, body }: Ask) =>
  toApigEvent(
    {
      method,
      path,
      query: '',
      headers,
      body: Buffer.from(body),
      clientAddress: '192.0.2.1',
      rest: undefined,
    },
    'api',
    randomUUID(),
  );

const awsEvent = ({ method, path, headers, body }: Ask) => ({
  version: '2.0',
  routeKey: '$default',
  rawPath: path,
  rawQueryString: '',
  headers,
  requestContext: { http: { method, path }, stage: '$default', requestId: randomUUID() },
  body,
  isBase64Encoded: false,
});

function eventDoor(more: Record<string, string>, eventOf: (ask: Ask) => unknown): Door {
  return async (ask) => {
    const result = await runtimeOf(ask.path, more).invoke(eventOf(ask));
    assert.ok(result.ok, JSON.stringify(result));
    const { statusCode, body } = result.result as { statusCode: number; body: string };
    return answerOf(statusCode, body);
  };
}

// Before any test: the folders go when those that were there are over.
const server = await startServer(variables);
const signedServer = await startServer(signedVariables);

const RECORDS = JSON.stringify({ records: [{ value: 'of-who-may' }] });

/** What each route is asked with; a body that is none of these is no business of who may. */
function askOf(path: string, method: Method): Ask {
  return {
    method,
    path: path.replace('{topic}', topic).replace('{partition}', '0'),
    headers: { 'content-type': 'application/json' },
    body: path === '/consume-batch' ? '{"maxRecords":1}' : RECORDS,
  };
}

/** As whoever sends a key, in one header or the other. */
function as(ask: Ask, key: string | undefined, where: 'x-api-key' | 'authorization' = 'x-api-key'): Ask {
  if (key === undefined) return ask;
  return { ...ask, headers: { ...ask.headers, [where]: where === 'x-api-key' ? key : `Bearer ${key}` } };
}

/** A `*` may stand for `{topic}`, so the scope that is lacked ends with the topic. */
const scopeOf = (need: Need) => (need === 'publish' ? `publish:${topic}` : need);

function matrix(doorName: string, door: Door, isServed: (path: string) => boolean, isSigned: boolean) {
  describe(doorName, () => {
    for (const [path, { needs }] of allRoutes) {
      for (const [method, stated] of Object.entries(needs) as [Method, Need | 'signature'][]) {
        if (!isServed(path)) continue;
        const need = stated === 'signature' ? (isSigned ? 'nothing' : 'publish') : stated;
        test(`${method} ${path}: ${need === stated ? need : `${stated}, so ${need}`}`, async () => {
          const ask = askOf(path, method);
          if (stated === 'signature' && isSigned) {
            for (const key of [undefined, 'unknown', keyOf('everything')]) {
              const refused = await door(as(ask, key));
              assert.deepEqual([refused.status, refused.code], [401, 'SIGNATURE_INVALID'], key);
            }
            const signature = createHmac('sha256', SECRET).update(ask.body).digest('hex');
            ask.headers['x-hub-signature-256'] = `sha256=${signature}`;
          }
          for (const key of [undefined, 'unknown', '', 'publish']) {
            const answer = await door(as(ask, key));
            if (need === 'nothing')
              assert.equal(answer.status, 200, `without a key: ${JSON.stringify(answer)}`);
            else assert.deepEqual([answer.status, answer.code], [401, 'API_KEY_REFUSED'], key);
          }
          for (const name of names) {
            for (const where of ['x-api-key', 'authorization'] as const) {
              const answer = await door(as(ask, keyOf(name), where));
              const what = `${name} in ${where}: ${JSON.stringify(answer)}`;
              if (mayBy[need].includes(name)) assert.equal(answer.status, 200, what);
              else {
                assert.deepEqual([answer.status, answer.code], [403, 'NOT_PERMITTED'], what);
                assert.equal(answer.message, `the key of ${name} lacks the scope ${scopeOf(need)}`);
              }
            }
          }
        });
      }
    }
  });
}

test('every route says what it needs', () => {
  for (const [path, { needs }] of allRoutes) {
    assert.ok(Object.keys(needs).length > 0, path);
    for (const need of Object.values(needs))
      assert.ok(need === 'signature' || need in mayBy, `${path}: ${need}`);
  }
});

const servers = new Set(allRoutes.flatMap(([path, { isServers }]) => (isServers ? [path as string] : [])));
const hasFunction = (path: string) =>
  !servers.has(path) || ['/connectivity-check', '/consume-batch'].includes(path);
// Without FUNCTION they are not there, and with it the platform alone reaches them.
const isOpen = (path: string) => !['/invoke', '/init'].includes(path);

for (const [what, more, isSigned, serverOf] of [
  ['', variables, false, server],
  [' with signed webhooks', signedVariables, true, signedServer],
] as const) {
  matrix(`the HTTP server${what}`, serverDoor(serverOf), isOpen, isSigned);
  matrix(`an event of APIG${what}`, eventDoor(more, apigEvent), hasFunction, isSigned);
  matrix(`an event of AWS${what}`, eventDoor(more, awsEvent), hasFunction, isSigned);
}

describe('the topic that counts is the one that is published to', () => {
  const others = keyOf('others');
  for (const [what, door] of [
    ['the HTTP server', serverDoor(server)],
    ['an event of APIG', eventDoor(variables, apigEvent)],
  ] as const) {
    test(`${what}: named in the path, the body, by KAFKA_TOPIC, behind a prefix, in a webhook's`, async () => {
      const before = (await readTopic(cluster, topic)).length;
      for (const path of ['/', `/topics/${topic}`, `/x/topics/${topic}`, `/webhooks/other/topics/${topic}`]) {
        for (const body of [RECORDS, JSON.stringify({ topic, records: [{ value: 1 }] })]) {
          const answer = await door(as({ ...askOf(path, 'POST'), body }, others));
          assert.deepEqual([answer.status, answer.code], [403, 'NOT_PERMITTED'], `${path} ${body}`);
        }
      }
      assert.equal((await readTopic(cluster, topic)).length, before);
      const events = { 'content-type': 'application/cloudevents+json' };
      const body = JSON.stringify({ specversion: '1.0', id: '1', source: '/', type: 't' });
      const event = { ...askOf('/', 'POST'), headers: events, body };
      assert.equal((await door(as(event, others))).code, 'NOT_PERMITTED');
      assert.equal((await door(as(event, keyOf('publish')))).status, 200);
    });
  }

  test('GET /topics shows the topics that the key may publish to', async () => {
    const topicsFor = async (name: Name) => {
      const response = await fetch(`${server.url}/topics`, { headers: { 'x-api-key': keyOf(name) } });
      return (await response.json()) as string[];
    };
    assert.ok((await topicsFor('everything')).includes(topic));
    assert.deepEqual(await topicsFor('publish'), [topic]);
    assert.deepEqual(await topicsFor('others'), []);
    assert.deepEqual(await topicsFor('pull'), []);
  });
});

describe('beside what a gateway has for itself', () => {
  const door = eventDoor(variables, apigEvent);
  const ask = askOf('/topics/{topic}', 'POST');
  for (const [what, headers, status] of [
    [
      'a signature of APIG and a key',
      { authorization: 'SDK-HMAC-SHA256 Access=x', 'x-api-key': keyOf('publish') },
      200,
    ],
    [
      'a signature of AWS and a key',
      { authorization: 'AWS4-HMAC-SHA256 x', 'x-api-key': keyOf('publish') },
      200,
    ],
    [
      "AWS's own X-Api-Key and a bearer",
      { authorization: `bearer ${keyOf('publish')}`, 'x-api-key': 'usage-plan' },
      200,
    ],
    [
      "a gateway's token and a key",
      { authorization: 'Bearer eyJhbGciOi', 'x-api-key': keyOf('publish') },
      200,
    ],
    ['a signature of APIG alone', { authorization: 'SDK-HMAC-SHA256 Access=x' }, 401],
    ['Basic', { authorization: `Basic ${keyOf('publish')}` }, 401],
    ['the hash of a key', { 'x-api-key': createHash('sha256').update(keyOf('publish')).digest('hex') }, 401],
    ['a key twice', { 'x-api-key': `${keyOf('publish')}, ${keyOf('publish')}` }, 401],
  ] as const) {
    test(`${what}: ${status}`, async () => {
      assert.equal((await door({ ...ask, headers: { ...ask.headers, ...headers } })).status, status);
    });
  }
});

test('the name of a key is in the lines of its calls, and in the metrics', async () => {
  const ask = async (method: string, path: string, body?: string) => {
    const headers = { 'x-api-key': keyOf('everything'), 'content-type': 'application/json' };
    const response = await fetch(`${server.url}${path}`, { method, headers, ...(body && { body }) });
    return response.text();
  };
  await ask('POST', `/topics/${topic}`, RECORDS);
  await ask('POST', '/consume-batch');
  await ask('POST', `/topics/${topic}`, 'no JSON');
  for (const message of ['published', 'pulled', 'request failed']) {
    await server.until(`"message":"${message}"`);
    const line = new RegExp(`"message":"${message}".*"caller":"everything"`);
    assert.match(server.output(), line);
  }
  assert.match(
    await ask('GET', '/metrics'),
    /^http_requests_total\{method="POST",route="\/topics\/\{topic\}",status="200",caller="everything"\} \d+$/m,
  );
});
