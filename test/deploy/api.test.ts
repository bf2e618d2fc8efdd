import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { ApiClient, ApiError } from '../../deploy/api/client.ts';
import { LogTank } from '../../deploy/api/log-tank.ts';
import { findProjectId } from '../../deploy/api/project.ts';
import { endpointOf, regions } from '../../deploy/api/regions.ts';
import { followLogs } from '../../deploy/logs.ts';
import { planDeployment } from '../../deploy/plan.ts';
import { clientOf, sampleArtifacts, sampleDeployment, sampleFunction, startStandIn } from './samples.ts';
import type { StandIn } from './stand-in/server.ts';

/** A stand-in with these functions deployed. */
async function deployed(t: TestContext, keys: string[], options?: { pageSize?: number }): Promise<StandIn> {
  const standIn = await startStandIn(t, options);
  const deployment = sampleDeployment(...keys.map((key) => sampleFunction({ key })));
  const artifacts = sampleArtifacts(keys);
  for (const { run } of await planDeployment({ api: clientOf(standIn), deployment, artifacts })) await run();
  standIn.forget();
  return standIn;
}

describe('endpoints', () => {
  test('each region has its cloud’s', () => {
    assert.equal(
      endpointOf('functiongraph', { region: 'eu-de' }),
      'https://functiongraph.eu-de.otc.t-systems.com',
    );
    assert.equal(endpointOf('dms', { region: 'eu-nl' }), 'https://dms.eu-nl.otc.t-systems.com');
    assert.equal(endpointOf('lts', { region: 'eu-ch2' }), 'https://lts.eu-ch2.sc.otc.t-systems.com');
    assert.equal(endpointOf('iam', { region: 'eu-ch2' }), 'https://iam-pub.eu-ch2.sc.otc.t-systems.com');
    const european = (service: 'iam' | 'lts' | 'dms' | 'functiongraph') =>
      endpointOf(service, { region: 'eu-west-101' });
    assert.equal(european('dms'), 'https://dms.eu-west-101.myhuaweicloud.eu');
    assert.equal(european('functiongraph'), 'https://functiongraph.eu-west-101.myhuaweicloud.com');
    assert.equal(
      endpointOf('dms', { region: 'ap-southeast-3' }),
      'https://dms.ap-southeast-3.myhuaweicloud.com',
    );
    assert.ok(regions.includes('eu-west-101'));
  });

  test('an unknown region is refused with those that are known', () => {
    assert.throws(
      () => endpointOf('dms', { region: 'mars' }),
      /"mars" is not known; it is one of eu-de, eu-nl, /,
    );
  });

  test('a signed request never goes to another machine in clear text', () => {
    const of = (endpoint: string) => () => endpointOf('dms', { region: 'eu-de', endpoint });
    assert.throws(of('http://dms.example.com'), /must be an https/);
    assert.throws(of('http://127.0.0.1.example.com'), /must be an https/);
    assert.throws(of('dms.example.com:443'), /^Error: DMS_ENDPOINT must be an https:\/\/ address\.$/);
    assert.equal(of('http://127.0.0.1:1234/ignored')(), 'http://127.0.0.1:1234');
    assert.equal(of('https://dms.example.com')(), 'https://dms.example.com');
  });
});

describe('requests', () => {
  test('a wrong secret key is refused, and the refusal says what to look at', async (t) => {
    const standIn = await startStandIn(t);
    const api = clientOf(standIn, { secretKey: 'not-this-one' });
    await assert.rejects(api.listFunctions('default'), (error: Error) => {
      assert.ok(error instanceof ApiError);
      assert.deepEqual([error.status, error.code], [401, 'APIG.0301']);
      assert.match(error.message, /secret key/);
      assert.doesNotMatch(error.message, /not-this-one/);
      return true;
    });
    assert.equal(standIn.requests.length, 1);
  });

  for (const how of [429, 500, 503, 'drop'] as const) {
    test(`a read is repeated after ${how}`, async (t) => {
      const standIn = await deployed(t, ['produce']);
      standIn.faults.push({ method: 'GET', path: /config$/, how }, { method: 'GET', path: /config$/, how });
      const api = clientOf(standIn);
      const found = await api.getFunction(api.urn('default', 'shop-dev-produce'));
      assert.equal(found?.memorySize, 256);
      assert.equal(standIn.faults.length, 0);
    });
  }

  test('Retry-After is kept to', async (t) => {
    const standIn = await deployed(t, ['produce']);
    standIn.faults.push({ method: 'GET', path: /config$/, how: 429, retryAfter: 1 });
    const api = clientOf(standIn);
    const startedAt = performance.now();
    await api.getFunction(api.urn('default', 'shop-dev-produce'));
    assert.ok(performance.now() - startedAt >= 950);
  });

  test('it gives up after five attempts, with what the service said', async (t) => {
    const standIn = await startStandIn(t);
    for (let i = 0; i < 6; i++) standIn.faults.push({ method: 'GET', path: /functions$/, how: 503 });
    await assert.rejects(
      clientOf(standIn).listFunctions('default'),
      /answered 503 APIG.0308: The throttling/,
    );
    assert.equal(standIn.requests.length, 5);
  });

  test('a creation without an answer is not sent twice', async (t) => {
    const standIn = await startStandIn(t);
    const deployment = sampleDeployment(sampleFunction());
    const artifacts = sampleArtifacts(['produce']);
    const [create] = await planDeployment({ api: clientOf(standIn), deployment, artifacts });
    standIn.forget();
    standIn.faults.push({ method: 'POST', path: /functions$/, how: 'drop after' });
    await assert.rejects(async () => create?.run(), /got no answer/);
    assert.equal(standIn.requests.length, 1);
  });

  test('a service that never answers is given up', async (t) => {
    const standIn = await startStandIn(t);
    const { url: endpoint, accessKey, secretKey } = standIn;
    const credentials = { accessKey, secretKey };
    const client = new ApiClient({ service: 'dms', region: 'eu-de', endpoint, credentials, timeoutMs: 1 });
    await assert.rejects(client.send({ method: 'POST', path: '/' }), /got no answer: .*(timeout|aborted)/i);
  });

  test('a token is sent instead of a signature', async (t) => {
    const standIn = await startStandIn(t);
    const client = new ApiClient({
      service: 'iam',
      region: 'eu-de',
      endpoint: standIn.url,
      credentials: { token: 'a-token' },
    });
    await assert.rejects(client.send({ method: 'GET', path: '/v3/projects' }), ApiError);
    const [request] = standIn.requests;
    assert.equal(request?.headers['x-auth-token'], 'a-token');
    assert.equal(request?.headers.authorization, undefined);
  });

  test('the list of functions is read to its end', async (t) => {
    const keys = ['a1', 'a2', 'a3', 'a4', 'a5'];
    const standIn = await deployed(t, keys, { pageSize: 2 });
    const found = await clientOf(standIn).listFunctions('default');
    assert.deepEqual(
      found.map(({ name }) => name),
      keys.map((key) => `shop-dev-${key}`),
    );
    assert.deepEqual(await clientOf(standIn).listFunctions('other'), []);
  });

  test('the project is found by its name', async (t) => {
    const { region, url: endpoint, projectId, accessKey, secretKey } = await startStandIn(t);
    const options = { region, endpoint, credentials: { accessKey, secretKey } };
    assert.equal(await findProjectId(options, 'eu-de'), projectId);
    await assert.rejects(
      findProjectId(options, 'eu-de_other'),
      /no project "eu-de_other": set provider.projectId/,
    );
  });
});

describe('invocation', () => {
  test('answers with the result and the log', async (t) => {
    const standIn = await deployed(t, ['produce']);
    const api = clientOf(standIn);
    const urn = api.urn('default', 'shop-dev-produce');
    const { ok, result, log, requestId } = await api.invoke(urn, { a: 1 }, 10_000);
    assert.equal(ok, true);
    assert.deepEqual(result, { version: '1', event: { a: 1 }, level: 'info' });
    assert.match(log, /called/);
    assert.notEqual(requestId, '');
  });

  test('a function that throws counts as a failed invocation', async (t) => {
    const standIn = await deployed(t, ['produce']);
    const api = clientOf(standIn);
    const { ok, result } = await api.invoke(api.urn('default', 'shop-dev-produce'), { fail: 'no' }, 10_000);
    assert.equal(ok, false);
    assert.equal((result as { errorMessage: string }).errorMessage, 'no');
  });

  test('its log is read page by page', async (t) => {
    const standIn = await deployed(t, ['produce']);
    const [stored] = standIn.functions.all;
    for (let i = 0; i < 1_201; i++) stored?.log.push(`line ${i}`);
    const { region, url: endpoint, projectId, accessKey, secretKey } = standIn;
    const lts = new LogTank({ region, endpoint, projectId, credentials: { accessKey, secretKey } });
    const query = { groupId: 'group', streamId: 'shop-dev-produce', from: 0, to: Date.now() };
    const { lines, complete } = await lts.query(query);
    assert.deepEqual([lines.length, complete], [1_201, true]);
    assert.equal(lines.at(-1)?.content, 'line 1200');
    const filtered = await lts.query({ ...query, keywords: 'line 12' });
    assert.equal(filtered.lines.length, 12);
    assert.equal(filtered.lines[0]?.content, 'line 12', 'without tags');
    standIn.partialAnswers = 3;
    assert.deepEqual((await lts.query(query)).lines.length, 1_201);
    standIn.partialAnswers = Number.POSITIVE_INFINITY;
    assert.deepEqual((await lts.query(query)).complete, false);
  });

  test('its log is followed, each line once', async (t) => {
    const standIn = await deployed(t, ['produce']);
    const [stored] = standIn.functions.all;
    stored?.log.push('one', 'two');
    const { region, url: endpoint, projectId, accessKey, secretKey } = standIn;
    const lts = new LogTank({ region, endpoint, projectId, credentials: { accessKey, secretKey } });
    const stream = { groupId: 'group', streamId: 'shop-dev-produce' };
    const seen: string[] = [];
    for await (const line of followLogs(lts, stream, { tail: true, interval: '500' })) {
      seen.push(line);
      if (line === 'two') stored?.log.push('three');
      if (line === 'three') break;
    }
    assert.deepEqual(seen, ['one', 'two', 'three']);
    const from = followLogs(lts, stream, { tail: false, startTime: 'yesterday' });
    await assert.rejects(from.next(), /--startTime "yesterday" must be like 10m, 2h, 1d/);
  });
});
