/** The function of one's own in `docs/your-own-function.md`, word for word: built, and called as the platform does. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startRuntime } from '../local/functiongraph/runtime.ts';
import { scratchCheckout } from './support/checkout.ts';
import { newTopic } from './support/cluster.ts';
import { sharedCluster } from './support/shared-cluster.ts';

const page = readFileSync(new URL('../docs/your-own-function.md', import.meta.url), 'utf8');
const [, source = ''] = /```ts\n([\s\S]+?)```/.exec(page) ?? [];

test('the function of the page lists topics', async (t) => {
  const { folder, builder } = scratchCheckout();
  mkdirSync(join(folder, 'functions/topics'));
  writeFileSync(join(folder, 'functions/topics/index.ts'), source);
  const build = await builder();
  const [built] = await build({ functions: ['topics'], outdir: join(folder, 'dist') });
  const cluster = await sharedCluster();
  const topic = await newTopic(cluster, { partitions: 1 });
  const runtime = startRuntime({
    directory: built?.directory ?? '',
    initializer: 'index.initializer',
    userData: {
      KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_SSL,
      KAFKA_SSL_CA_LOCATION: cluster.caLocation,
      KAFKA_SASL_USERNAME: cluster.users.app.username,
    },
    encryptedUserData: { KAFKA_SASL_PASSWORD: cluster.users.app.password },
  });
  t.after(() => runtime.stop());
  const answer = await runtime.invoke({
    ...{ httpMethod: 'GET', path: '/list', headers: {}, queryStringParameters: {}, pathParameters: {} },
    ...{ body: '', isBase64Encoded: true, requestContext: { requestId: 'r', stage: 'S', apiId: 'a' } },
  });
  assert.ok(answer.ok, JSON.stringify(answer));
  const { statusCode, body } = answer.result as { statusCode: number; body: string };
  assert.equal(statusCode, 200, body);
  assert.ok(JSON.parse(body).includes(topic));
});
