/**
 * Found 2026-11-27 (A8): HTTP_API_KEYS=',' let everybody in, CHECK_ALLOWED_ADDRESSES=',' let the check dial
 * anywhere, WEBHOOK_SECRET=' ' believed everybody, and the hash of an empty key was a key (CWE-636).
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { checkConfig } from '../../functions/connectivity-check/config.ts';
import { consumeConfig, pullConfig } from '../../functions/consume-batch/config.ts';
import { httpConfig } from '../../functions/http/config.ts';
import { produceConfig } from '../../functions/produce/config.ts';
import { Failure } from '../../src/errors.ts';
import { connectionConfig } from '../../src/kafka/connection/config.ts';
import { readConfig, type Variables } from '../../src/variables.ts';

const complete = {
  KAFKA_BOOTSTRAP_SERVERS: 'broker:9093',
  KAFKA_SASL_USERNAME: 'user',
  KAFKA_SASL_PASSWORD: 'password',
  KAFKA_GROUP_ID: 'group',
  CONSUME_TOPICS: 'orders',
};

const everything = (variables: Variables) => ({
  connection: connectionConfig(variables),
  produce: produceConfig(variables),
  http: httpConfig(variables),
  check: checkConfig(variables),
  consume: consumeConfig(variables),
  pull: pullConfig(variables),
});

const configOf = (variables: Record<string, string>) => {
  const all: Record<string, string> = { ...complete, ...variables };
  return readConfig((name) => all[name], everything);
};

/** The names of the variables that are refused, each once. */
function refused(variables: Record<string, string>): string[] {
  try {
    configOf(variables);
    return [];
  } catch (error) {
    assert.ok(error instanceof Failure);
    assert.equal(error.code, 'CONFIG_INVALID');
    const sentences = error.message.replace('configuration: ', '').split('; ');
    return sentences.map((sentence) => sentence.split(' ', 1)[0] ?? '');
  }
}

const lists = [
  'HTTP_API_KEYS',
  'HTTP_CORS_ORIGINS',
  'CHECK_ALLOWED_ADDRESSES',
  'PRODUCE_TOPICS',
  'CONSUME_TOPICS',
  'WEBHOOK_HEADERS',
  'KAFKA_BOOTSTRAP_SERVERS',
];
const texts = [
  'WEBHOOK_SECRET',
  'WEBHOOK_SECRET_PREVIOUS',
  'WEBHOOK_KEY_HEADER',
  'WEBHOOK_KEY_POINTER',
  'PRODUCE_ROUTES',
  'KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM',
];

describe('a list of nothing is refused, once, whoever reads it', () => {
  for (const name of lists) {
    test(name, () => {
      for (const value of [',', ' ', ' , ', ',,', '\t', '\n', '\u00a0']) {
        assert.deepEqual(refused({ [name]: value }), [name], JSON.stringify(value));
      }
    });
  }
});

describe('a blank that would open what is to be closed is refused', () => {
  for (const name of texts) {
    test(name, () => {
      for (const value of [' ', '\t', '\n', '  \r\n']) {
        assert.deepEqual(refused({ [name]: value }), [name], JSON.stringify(value));
      }
    });
  }

  test('whatever the scheme of the webhooks', () => {
    for (const WEBHOOK_SCHEME of ['github', 'standard', 'stripe', 'slack', 'shopify']) {
      assert.deepEqual(refused({ WEBHOOK_SCHEME, WEBHOOK_SECRET: ' ' }), ['WEBHOOK_SECRET']);
    }
  });
});

test('the hash of an empty key is refused, alone and among others, in upper and lower case', () => {
  const empty = createHash('sha256').digest('hex');
  const good = createHash('sha256').update('key').digest('hex');
  for (const keys of [empty, empty.toUpperCase(), `${good},${empty}`, `${empty} , ${good}`]) {
    assert.deepEqual(refused({ HTTP_API_KEYS: keys }), ['HTTP_API_KEYS']);
  }
  assert.equal(configOf({ HTTP_API_KEYS: good }).http.keys.callerOf({}), undefined);
});

test('an empty variable is unset: deployments pass one where they have no value', () => {
  const [unset, empty] = [{}, { WEBHOOK_SECRET: '', PRODUCE_ROUTES: '', HTTP_API_KEYS: '' }].map(configOf);
  assert.ok(unset && empty);
  for (const { http, produce } of [unset, empty]) {
    assert.ok(http.keys.callerOf({}) && produce.keys.callerOf({}), 'everybody is let in');
    assert.equal(http.routes, 'all');
    assert.equal(produce.webhook.signature, undefined);
  }
  assert.equal(configOf({ CHECK_ALLOWED_ADDRESSES: '' }).check.allowedAddresses, undefined);
  assert.deepEqual(configOf({ HTTP_CORS_ORIGINS: '' }).http.corsOrigins, []);
});

test('blanks and commas around values are left out', () => {
  const { http, check, pull } = configOf({
    HTTP_CORS_ORIGINS: ' https://a.example , ',
    CHECK_ALLOWED_ADDRESSES: ',10.0.0.0/8,',
    CONSUME_TOPICS: ' orders ,,returns',
  });
  assert.deepEqual(http.corsOrigins, ['https://a.example']);
  assert.deepEqual(
    [check.allowedAddresses?.check('10.1.1.1'), check.allowedAddresses?.check('11.1.1.1')],
    [true, false],
  );
  assert.deepEqual(pull.topics, ['orders', 'returns']);
});
