import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { unzipSync } from 'fflate';
import { settingsOf } from '../build/settings.ts';
import { startRuntime } from '../local/functiongraph/runtime.ts';
import { buildOwn, withoutLateFiles } from './support/bundle.ts';
import { scratchCheckout } from './support/checkout.ts';
import { scratchFolder } from './support/folders.ts';
import { sharedCluster } from './support/shared-cluster.ts';

const scratch = scratchFolder('settings');
const functions = ['produce', 'consume-batch', 'connectivity-check', 'http'];
let folders = 0;

function folderWith(files: Record<string, string>): string {
  const folder = join(scratch, `${++folders}`);
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

const read = (files: Record<string, string>) => settingsOf(functions, folderWith(files));

describe('settings', () => {
  test("a function's own win over the common ones; comments and quotes are those of .env files", async () => {
    const settings = await read({
      'common.env': '# ours\nKAFKA_CLIENT_ID=all\nLOG_LEVEL="warn"\n',
      'produce.env': 'KAFKA_CLIENT_ID=mine\nMY_OWN=1\n',
      'README.md': 'words',
    });
    assert.deepEqual(settings.get('produce'), { KAFKA_CLIENT_ID: 'mine', LOG_LEVEL: 'warn', MY_OWN: '1' });
    assert.deepEqual(settings.get('consume-batch'), { KAFKA_CLIENT_ID: 'all', LOG_LEVEL: 'warn' });
  });

  test('the HTTP function has those of all three, and decides where two differ', async () => {
    const files = { 'produce.env': 'KAFKA_ACKS=1', 'consume-batch.env': 'KAFKA_ACKS=all\nCONSUME_TOPICS=a' };
    await assert.rejects(read(files), {
      message:
        'KAFKA_ACKS differs between produce.env and consume-batch.env: say in http.env which it is there',
    });
    const settings = await read({ ...files, 'http.env': 'KAFKA_ACKS=all' });
    assert.deepEqual(settings.get('http'), { KAFKA_ACKS: 'all', CONSUME_TOPICS: 'a' });
  });

  const refused: [string, Record<string, string>, RegExp][] = [
    [
      'a value that the function refuses',
      { 'produce.env': 'KAFKA_ACKS=2' },
      /produce\.env: KAFKA_ACKS must be one of/,
    ],
    ['in common.env too', { 'common.env': 'KAFKA_CHECK_CRCS=maybe' }, /common\.env: KAFKA_CHECK_CRCS must/],
    ['a password', { 'common.env': 'KAFKA_SASL_PASSWORD=x' }, /KAFKA_SASL_PASSWORD is a secret/],
    ["a webhook's secret", { 'produce.env': 'WEBHOOK_SECRET=x' }, /WEBHOOK_SECRET is a secret/],
    ['keys of callers', { 'http.env': `HTTP_API_KEYS=${'a'.repeat(64)}` }, /HTTP_API_KEYS is a secret/],
    ["a secret of the user's own", { 'common.env': 'STRIPE_TOKEN=x' }, /STRIPE_TOKEN is a secret/],
    ['a password in a URL', { 'common.env': 'DATABASE_URL=postgres://u:p@db/x' }, /DATABASE_URL is a secret/],
    [
      'certificates that are not there',
      { 'common.env': 'KAFKA_SSL_CA_PEM=file:settings/none.pem' },
      /common\.env: KAFKA_SSL_CA_PEM names a file that cannot be read \(ENOENT\)/,
    ],
    [
      'certificates outside the checkout',
      { 'common.env': 'KAFKA_SSL_CA_PEM=file:../ca.pem' },
      /common\.env: KAFKA_SSL_CA_PEM must be file: and a path in the bundle, without \.\./,
    ],
    ['a file of no function', { 'prodcue.env': 'A=1' }, /prodcue\.env is of no function/],
  ];
  for (const [what, files, message] of refused) {
    test(`refused: ${what}`, () => assert.rejects(read(files), { name: 'BuildRefused', message }));
  }

  test('nothing is said of what is set elsewhere, and no value is repeated', async () => {
    await read({
      'consume-batch.env': 'CONSUME_TOPICS=orders',
      'connectivity-check.env': 'CHECK_TOPIC=orders',
    });
    await assert.rejects(
      read({ 'common.env': 'MY_PASSWORD=hunter2' }),
      ({ message }: Error) => !message.includes('hunter2'),
    );
  });
});

async function get(runtime: ReturnType<typeof startRuntime>, path: string) {
  const answer = await runtime.invoke({
    ...{ httpMethod: 'GET', path, headers: {}, queryStringParameters: {}, pathParameters: {} },
    ...{ body: '', isBase64Encoded: true, requestContext: { requestId: 'r', stage: 'S', apiId: 'a' } },
  });
  assert.ok(answer.ok);
  return answer.result as { statusCode: number; body: string };
}

test('a bundle has its settings; the platform’s variables win', async (t) => {
  const settings = folderWith({
    'common.env': 'KAFKA_BOOTSTRAP_SERVERS=broker:9092',
    'produce.env': 'KAFKA_ACKS=1',
  });
  const outdir = join(scratch, 'dist');
  const [built] = await buildOwn({ functions: ['produce'], outdir, settings });
  const directory = built?.directory ?? '';
  assert.match(await readFile(join(directory, 'index.js'), 'utf8'), /broker:9092/);
  const answerWith = async (userData: Record<string, string>) => {
    const runtime = startRuntime({
      directory,
      userData: { KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT', ...userData },
    });
    t.after(() => runtime.stop());
    return JSON.parse((await get(runtime, '/brokers')).body) as { code: string; message: string };
  };
  assert.match((await answerWith({})).message, /does not resolve/);
  const { code, message } = await answerWith({ KAFKA_ACKS: '3' });
  assert.deepEqual([code, /KAFKA_ACKS must/.test(message)], ['CONFIG_INVALID', true]);
});

test('certificates that a setting names lie beside the bundle and are trusted', async (t) => {
  const { bootstrapServers, caLocation, users } = await sharedCluster();
  const { folder, builder } = scratchCheckout();
  mkdirSync(join(folder, 'settings'));
  cpSync(caLocation, join(folder, 'settings/its-own.pem'));
  writeFileSync(join(folder, 'settings/produce.env'), 'KAFKA_SSL_CA_PEM=file:settings/its-own.pem');
  const build = await builder();
  // As npm does.
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => process.chdir(before));
  const [produce, check] = await build({
    functions: ['produce', 'connectivity-check'],
    outdir: join(folder, 'dist'),
  });
  const filesIn = async ({ zip = '' } = {}) => withoutLateFiles(Object.keys(unzipSync(await readFile(zip))));
  assert.deepEqual(await filesIn(produce), ['index.js', 'package.json', 'settings/its-own.pem']);
  assert.deepEqual(await filesIn(check), ['index.js', 'package.json']);
  const runtime = startRuntime({
    directory: produce?.directory ?? '',
    userData: { KAFKA_BOOTSTRAP_SERVERS: bootstrapServers.SASL_SSL, KAFKA_SASL_USERNAME: users.app.username },
    encryptedUserData: { KAFKA_SASL_PASSWORD: users.app.password },
  });
  t.after(() => runtime.stop());
  const { statusCode, body } = await get(runtime, '/brokers');
  assert.equal(statusCode, 200, body);
});
