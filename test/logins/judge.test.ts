/** Tokens of an authorization server that nobody here wrote, for brokers that nobody here wrote. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { npmTool } from '../../local/tools.ts';
import { authority, tokenJavaProperties, tokenListener } from '../support/authorization-server.ts';
import { checkWith, type Variables } from '../support/check.ts';
import { kafkaForTests } from '../support/cluster.ts';
import { checkPasses, kafkajsWorks, publishAndPull, serversOf } from '../support/logins.ts';
import { start } from '../support/processes.ts';

const CLIENT_SECRET = ' a:secret/%+&=~ "quoted"';
const provider = npmTool(['oidc-provider@8.8.1'], 'oidc-provider/lib/index.js');
const missing = await provider.missing();
if (missing) throw new Error(missing);

const script = fileURLToPath(new URL('../interop/authorization-server.mjs', import.meta.url));
const settings = { ...authority, clientId: 'app', clientSecret: CLIENT_SECRET, lifetimeS: 10 };
const judge = start(process.execPath, [script, pathToFileURL(provider.path).href], {
  env: { ...process.env, SETTINGS: JSON.stringify(settings) },
});
await judge.until('listening: ');
const origin = `http://127.0.0.1:${/listening: (\d+)/.exec(judge.stdout())?.[1]}`;

const cluster = await kafkaForTests({
  extraListeners: [tokenListener()],
  javaProperties: tokenJavaProperties,
});
const variables: Variables = {
  KAFKA_BOOTSTRAP_SERVERS: serversOf(cluster, 'TOKENS'),
  ...{ KAFKA_SECURITY_PROTOCOL: 'SASL_SSL', KAFKA_SSL_CA_PEM: cluster.caPem },
  KAFKA_SASL_MECHANISM: 'OAUTHBEARER',
  KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: `${origin}/token`,
  KAFKA_SASL_OAUTHBEARER_CLIENT_ID: 'app',
  KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: CLIENT_SECRET,
  KAFKA_SASL_OAUTHBEARER_SCOPE: 'publish',
};

describe('tokens of oidc-provider', () => {
  test('publishing and pulling', () => publishAndPull(cluster, variables));
  test('the check', () => checkPasses(cluster, variables));
  test('kafkajs', () => kafkajsWorks(cluster, variables));

  const wrongs: [what: string, change: Variables, words: RegExp][] = [
    ['secret', { KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: 'wrong' }, /401, invalid_client.*CLIENT_SECRET/],
    ['client', { KAFKA_SASL_OAUTHBEARER_CLIENT_ID: 'nobody' }, /401, invalid_client.*CLIENT_ID/],
    ['scope', { KAFKA_SASL_OAUTHBEARER_SCOPE: 'everything' }, /400, invalid_scope.*_SCOPE/],
    ['path', { KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: `${origin}/tokens` }, /404.*openid-configuration/],
  ];
  for (const [what, change, words] of wrongs) {
    test(`a wrong ${what}`, async () => {
      const { verdict } = await checkWith({ ...variables, ...change });
      assert.equal(verdict?.fault, 'OAUTH_REFUSED');
      assert.match(`${verdict.cause} ${verdict.remedy}`, words);
    });
  }
});
