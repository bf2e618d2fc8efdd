// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are the file's own variables.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { functionVariables, startEnvironment } from '../../local/function-variables.ts';
import { namedTopics } from '../../local/named-topics.ts';
import { readServerlessFile } from '../../local/serverless-file.ts';
import { scratchFolder } from '../support/folders.ts';

const directory = scratchFolder('serverless-file');

function read(environment: string, values: Record<string, string> = {}) {
  const path = join(directory, 'serverless.yml');
  const lines = environment.split('\n').map((line) => `      ${line}`);
  writeFileSync(
    path,
    [
      'service: mine',
      'provider: {name: functiongraph, stage: \'${opt:stage, "dev"}\'}',
      'custom: {topic: refunds, deep: {list: [1]}}',
      'functions:',
      '  one:',
      '    environment:',
      ...lines,
    ].join('\n'),
  );
  const file = readServerlessFile(path, (name) => values[name]);
  const [first] = file.deployment.functions;
  assert.ok(first);
  return { ...file, first, environment: first.environment };
}

test('variables of the file are resolved as osls resolves them', () => {
  const { environment, asked, unresolved } = read(
    [
      "A: ${env:A, 'a, b'}",
      "B: ${env:B, ${env:C, 'c'}}",
      'C: pre-${env:C}-${sls:stage}',
      'D: ${self:custom.topic}',
      "E: ${env:EMPTY, 'unused'}",
      "F: ${file(x.yml):y, 'fallback'}",
      "G: ${strToBool(${env:G, 'true'})}",
      'H: 42',
      "I: '{topic}.dead-letter'",
      'J: "${env:A, \'x\'}/${env:C}"',
      'K: ${env:ONE_${env:C}}',
    ].join('\n'),
    { C: 'see', EMPTY: '', ONE_see: 'nested' },
  );
  assert.deepEqual(environment, {
    A: 'a, b',
    B: 'see',
    C: 'pre-see-dev',
    D: 'refunds',
    E: '',
    F: 'fallback',
    G: 'true',
    H: '42',
    I: '{topic}.dead-letter',
    J: 'x/see',
    K: 'nested',
  });
  assert.ok(asked.has('A') && asked.has('EMPTY') && !asked.has('H'));
  assert.deepEqual(unresolved, ['file(x.yml):y']);
  assert.throws(() => read('A: ${self:functions.one.environment.A}'), /leads back to itself/);
});

test('the file says what a function gets; the shell adds what it leaves open; the embedded Kafka is its own', () => {
  const before = { ...process.env };
  after(() => {
    process.env = before;
  });
  Object.assign(process.env, {
    CONSUME_TOPICS: 'shell',
    CONSUME_RETRIES: '1',
    KAFKA_SSL_CA_PEM: 'pem',
    KAFKA_BOOTSTRAP_SERVERS: 'shell:1',
  });
  const { first, asked } = read(
    [
      'CONSUME_TOPICS: literal',
      'KAFKA_BOOTSTRAP_SERVERS: literal:1',
      'KAFKA_SASL_USERNAME: ${env:NO, null}',
    ].join('\n'),
  );
  assert.deepEqual(only(functionVariables(first, asked, undefined)), {
    CONSUME_TOPICS: 'literal',
    CONSUME_RETRIES: '1',
    KAFKA_SSL_CA_PEM: 'pem',
    KAFKA_BOOTSTRAP_SERVERS: 'shell:1',
  });
  assert.deepEqual(only(functionVariables(first, asked, { KAFKA_BOOTSTRAP_SERVERS: 'embedded:1' })), {
    CONSUME_TOPICS: 'literal',
    CONSUME_RETRIES: '1',
    KAFKA_BOOTSTRAP_SERVERS: 'embedded:1',
  });
});

function only(values: Readonly<Record<string, string>>) {
  const names = ['CONSUME_TOPICS', 'CONSUME_RETRIES', 'KAFKA_SSL_CA_PEM', 'KAFKA_BOOTSTRAP_SERVERS'];
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => names.includes(name) || name === 'KAFKA_SASL_USERNAME'),
  );
}

test('.env: what leads to a cluster or a group stays out, the rest is there', () => {
  const cluster = [
    'KAFKA_BOOTSTRAP_SERVERS',
    'KAFKA_SECURITY_PROTOCOL',
    'KAFKA_SASL_PASSWORD',
    'KAFKA_GROUP_ID',
  ];
  const others = ['KAFKA_TOPIC', 'KAFKA_TRIGGER', 'PRODUCE_TOPICS', 'DATABASE_URL'];
  writeFileSync(
    join(directory, '.env'),
    [...cluster, ...others].map((name) => `${name}='of .env'`).join('\n'),
  );
  const environment = startEnvironment(directory);
  for (const name of cluster) assert.equal(environment(name), process.env[name], name);
  for (const name of others) assert.equal(environment(name), 'of .env', name);
});

test('topics that variables name: no pattern, a dead-letter topic for each source', () => {
  const names = (variables: Record<string, string>) => namedTopics([variables], []).map(({ name }) => name);
  assert.deepEqual(names({ KAFKA_TOPIC: 'a', PRODUCE_TOPICS: 'b, c-*,*' }), ['a', 'b']);
  assert.deepEqual(names({ CONSUME_TOPICS: 'a,b' }), ['a', 'b', 'a.dead-letter', 'b.dead-letter']);
  assert.deepEqual(names({ CONSUME_TOPICS: 'a,b', CONSUME_DEAD_LETTER_TOPIC: 'dead' }), ['a', 'b', 'dead']);
  for (const none of ['none', '']) {
    assert.deepEqual(names({ CONSUME_TOPICS: 'a', CONSUME_DEAD_LETTER_TOPIC: none }), ['a']);
  }
  assert.deepEqual(namedTopics([{ KAFKA_TOPIC: 'a' }], [{ name: 'a', partitions: 3 }]), [
    { name: 'a', partitions: 3 },
  ]);
});

test('a stage has a group of its own where the file leaves it open', () => {
  const path = fileURLToPath(new URL('../../serverless.yml', import.meta.url));
  for (const [stage, said, group] of [
    ['dev', '', 'kafka-functions'],
    ['local', '', 'kafka-functions-local'],
    ['local', 'mine', 'mine'],
  ] as const) {
    const values: Record<string, string> = { KAFKA_GROUP_ID: said };
    const { deployment } = readServerlessFile(path, (name) => values[name], { stage });
    const [, consume, check] = deployment.functions;
    assert.equal(consume?.environment.KAFKA_GROUP_ID, group);
    assert.equal(check?.environment.CHECK_GROUP_ID, group);
  }
});

test("this project's own file is understood", () => {
  const path = fileURLToPath(new URL('../../serverless.yml', import.meta.url));
  const { deployment, unresolved } = readServerlessFile(path, () => undefined);
  assert.deepEqual(unresolved, []);
  assert.deepEqual(
    deployment.functions.map(({ key, triggers }) => [
      key,
      triggers.map(({ type, status }) => `${type} ${status}`),
    ]),
    [
      ['produce', ['DEDICATEDGATEWAY ACTIVE']],
      ['consume-batch', ['TIMER ACTIVE']],
      ['connectivity-check', ['TIMER ACTIVE', 'DEDICATEDGATEWAY ACTIVE']],
    ],
  );
});
