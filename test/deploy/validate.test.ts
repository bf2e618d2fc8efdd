// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the variables of serverless.yml, not ours.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FunctionDescription, Trigger } from '../../deploy/description.ts';
import { variableAt } from '../../deploy/origin.ts';
import { readDescription } from '../../deploy/read-description.ts';
import type { ServerlessFile } from '../../deploy/serverless-file.ts';
import { validate } from '../../deploy/validate.ts';
import { gateway, kafka, openSourceKafka, sampleDeployment, sampleFunction, timer } from './samples.ts';

function problemsOf(...changes: Partial<FunctionDescription>[]): readonly string[] {
  return validate(sampleDeployment(...changes.map((change) => sampleFunction(change)))).problems;
}

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, 'x']));
const triggers = (...all: Trigger[]): Partial<FunctionDescription> => ({ triggers: all });
const plaintext = { environment: { KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT' } };

describe('a wrong description gets one sentence', () => {
  const wrong: [name: string, change: Partial<FunctionDescription>, sentence: RegExp][] = [
    ['a name with a space', { name: 'my function' }, /the name "my function" must have 1 to 60 letters/],
    ['a name of 61 characters', { name: 'a'.repeat(61) }, /must have 1 to 60/],
    [
      'a handler of another file',
      { handler: 'main.handler' },
      /handler is "main.handler", but the bundle exports from index\.js alone/,
    ],
    ['memory that isn’t offered', { memorySize: 300 }, /memorySize is 300; FunctionGraph has 128, 256/],
    [
      'another runtime',
      { runtime: 'Node.js14.18' },
      /runtime is "Node.js14.18", but the bundles are made for/,
    ],
    ['a runtime with an older Node.js', { runtime: 'Node.js18.15' }, /made for Node.js20.15 and later/],
    [
      'an HTTP function without a file to start',
      { runtime: 'http', handler: '-', initializer: undefined },
      /handler is "-", but FunctionGraph wants three characters at least: write bootstrap/,
    ],
    [
      'concurrency on Open Telekom Cloud',
      { runtime: 'http', handler: 'bootstrap', initializer: undefined, concurrency: 100 },
      /Open Telekom Cloud \(eu-de\) gives an instance one call at a time/,
    ],
    [
      '11 triggers',
      triggers(...Array.from({ length: 11 }, (_, index) => ({ ...timer, name: `t${index}` }))),
      /has 11 triggers; FunctionGraph takes 10/,
    ],
    ['21 variables', { environment: many(21) }, /environment has 21 variables .* takes 20/],
    ['21 encrypted variables', { encryptedEnvironment: many(21) }, /encryptedEnvironment has 21 variables/],
    ['4,097 characters', { environment: { A: 'x'.repeat(4_096) } }, /has 4097 characters .* takes 4096/],
    ['a variable’s name', { environment: { '1A': '' } }, /the name "1A" must begin with a letter/],
    [
      'a password in the clear',
      { environment: { KAFKA_SASL_PASSWORD: 'x' }, encryptedEnvironment: {} },
      /KAFKA_SASL_PASSWORD is in environment, where the console shows it/,
    ],
    [
      'a variable in both',
      { encryptedEnvironment: { LOG_LEVEL: 'x' } },
      /LOG_LEVEL is in environment and in encryptedEnvironment/,
    ],
    ['a VPC without an agency', { agency: undefined }, /has a vpc but no agency/],
    ['a private address without a VPC', { vpc: undefined }, /has no vpc, so it can't reach 10.0.0.5:9093/],
    [
      'a Kafka trigger without a VPC',
      { vpc: undefined, environment: {}, ...triggers(kafka) },
      /Kafka trigger on orders but no vpc/,
    ],
    [
      'KAFKA without a user on SASL',
      triggers({ ...kafka, user: undefined, password: undefined }),
      /no user and password, but the instance speaks SASL_SSL/,
    ],
    [
      'KAFKA with half of them',
      { ...plaintext, ...triggers({ ...kafka, password: undefined }) },
      /needs user and password, or neither/,
    ],
    [
      'open-source Kafka with SASL',
      triggers(openSourceKafka),
      /can't authenticate, but the function uses SASL_SSL/,
    ],
    [
      'an address without a port',
      { ...plaintext, ...triggers({ ...openSourceKafka, addresses: ['10.0.0.5'] }) },
      /address "10.0.0.5" must be host:port/,
    ],
    ['a rate of 61 minutes', triggers({ ...timer, schedule: '61m' }), /rate "61m"; write 1m to 60m/],
    ['a rate without a unit', triggers({ ...timer, schedule: '5' }), /rate "5"; write/],
    [
      'a cron with five fields',
      triggers({ ...timer, scheduleType: 'Cron', schedule: '*/5 * * * *' }),
      /write six fields/,
    ],
    ['a failure target of no kind', { onFailure: 'alarms' }, /onFailure is "alarms"; write an SMN topic/],
    ['a timer’s name', triggers({ ...timer, name: '1 pull' }), /name "1 pull" must begin with a letter/],
    ['two timers of one name', triggers(timer, timer), /two triggers for timer pull/],
    ['an API’s name', triggers({ ...gateway, name: 'a-b' }), /name "a-b" must have 3 to 64 letters/],
    ['a path without a slash', triggers({ ...gateway, path: 'topics' }), /path "topics" must begin with \//],
  ];
  for (const [name, change, sentence] of wrong) {
    test(name, () => {
      const problems = problemsOf(change);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', sentence);
      assert.match(problems[0] ?? '', /^functions\.produce/);
    });
  }

  test('no function, two of one name, and an unknown region', () => {
    assert.deepEqual(problemsOf(), ['functions is empty: name at least one function.']);
    assert.deepEqual(problemsOf({}, {}), ['Two functions have the name shop-dev-produce.']);
    const { problems } = validate({ ...sampleDeployment(sampleFunction()), region: 'mars' });
    assert.match(problems.join(), /^provider.region "mars" is not known/);
  });

  test('a region without FunctionGraph, unless its endpoint is given', () => {
    const swiss = { ...sampleDeployment(sampleFunction()), region: 'eu-ch2' };
    assert.match(validate(swiss, {}).problems.join(), /"eu-ch2" has no FunctionGraph: .* eu-de only/);
    assert.deepEqual(validate(swiss, { FUNCTIONGRAPH_ENDPOINT: 'https://fgs.example.com' }).problems, []);
  });

  test('concurrency of an event function, on either cloud', () => {
    const deployment = { ...sampleDeployment(sampleFunction({ concurrency: 2 })), region: 'ap-southeast-3' };
    assert.match(validate(deployment).problems.join(), /an event function takes one call at a time/);
  });
});

describe('a right description passes', () => {
  const right: [name: string, change: Partial<FunctionDescription>][] = [
    ['as it is', {}],
    ['with every trigger', { ...plaintext, ...triggers(timer, gateway, kafka, openSourceKafka) }],
    [
      'over the public addresses without a VPC',
      { vpc: undefined, environment: { KAFKA_BOOTSTRAP_SERVERS: '1.2.3.4:9095' } },
    ],
    ['with twenty variables', { environment: many(20), encryptedEnvironment: {} }],
    [
      'with six cron fields',
      triggers({ ...timer, scheduleType: 'Cron', schedule: '0 0/5 8-18 ? * MON-FRI' }),
    ],
    ['every 90 seconds', triggers({ ...timer, scheduleType: 'Cron', schedule: '@every 1m30s' })],
    ['as an HTTP function', { runtime: 'http', handler: 'bootstrap', initializer: undefined }],
    ['with a later Node.js', { runtime: 'Node.js22.18' }],
  ];
  for (const [name, change] of right) test(name, () => assert.deepEqual(problemsOf(change), []));

  test('a gateway that asks nobody is warned of, unless the function asks for keys', () => {
    const open = triggers({ ...gateway, auth: 'NONE' });
    const warningsFor = (change: object) =>
      validate(sampleDeployment(sampleFunction({ ...open, ...change }))).warnings.join();
    assert.match(warningsFor({}), /^functions.produce: the gateway asks nobody who they are/);
    assert.match(warningsFor({}), /or for webhooks alone/);
    const keys = { HTTP_API_KEYS: '0'.repeat(64) };
    const webhooks = { PRODUCE_ROUTES: 'webhooks', WEBHOOK_SECRET: 's' };
    for (const encryptedEnvironment of [keys, webhooks]) {
      assert.doesNotMatch(warningsFor({ encryptedEnvironment }), /asks nobody/);
    }
    // Webhooks are nothing to the check: with their variables it would be as open as before.
    const check = { source: 'connectivity-check', encryptedEnvironment: webhooks };
    assert.match(warningsFor(check), /asks nobody .* Set HTTP_API_KEYS\./);
  });

  test('an HTTP function that a gateway can hand any event to is warned of', () => {
    const http = { ...triggers(gateway), runtime: 'http', handler: 'bootstrap', initializer: undefined };
    const warningsFor = (environment: Record<string, string>) =>
      validate(sampleDeployment(sampleFunction({ ...http, environment }))).warnings.join();
    assert.doesNotMatch(warningsFor({}), /FUNCTION/);
    assert.match(warningsFor({ FUNCTION: 'produce' }), /FUNCTION opens \/invoke and \/init/);
  });

  test('functions whose log nobody keeps are warned of', () => {
    assert.match(validate(sampleDeployment(sampleFunction())).warnings.join(), /provider.logs is empty/);
    const logs = { groupId: 'g', groupName: 'group', streamId: 's', streamName: 'stream' };
    assert.deepEqual(validate(sampleDeployment(sampleFunction({ logs }))).warnings, []);
  });

  test('memory that only a manual knows is warned of', () => {
    const { warnings } = validate(sampleDeployment(sampleFunction({ memorySize: 8_192 })));
    assert.match(warnings.join(), /memorySize is 8192: Open Telekom Cloud's API document ends at 4096/);
  });

  test('pulls that may overlap are warned of', () => {
    const environment = { CONSUME_TOPICS: 'orders', KAFKA_GROUP_ID: 'group' };
    const logs = { groupId: 'g', groupName: 'group', streamId: 's', streamName: 'stream' };
    const pull = sampleFunction({ environment, triggers: [timer], logs });
    assert.match(validate(sampleDeployment(pull)).warnings.join(), /maxInstances: 1 keeps them apart/);
    assert.deepEqual(validate(sampleDeployment({ ...pull, maxInstances: 1 })).warnings, []);
  });
});

describe('reading the file', () => {
  const file = (changes: Partial<ServerlessFile['provider']>, functions: ServerlessFile['functions']) =>
    readDescription({ service: 'shop', stage: 'dev', provider: changes, functions });

  test('a setting that is there without a value is missing', () => {
    const { missing } = file(
      { vpc: { id: null, subnetId: 's' }, environment: { A: null, B: 1, C: true } },
      { one: {}, two: { environment: { D: null } } },
    );
    assert.deepEqual(
      missing.map(({ path }) => path),
      ['provider.vpc.id', 'provider.environment.A', 'functions.two.environment.D'],
    );
  });

  test('an HTTP function is started by its file', () => {
    const { deployment } = file({}, { http: { runtime: 'http' } });
    const [http] = deployment.functions;
    assert.deepEqual([http?.handler, http?.initializer], ['bootstrap', undefined]);
  });

  test('variables must be text', () => {
    const { deployment } = file({ environment: { B: 1, C: true, E: '' } }, { one: {} });
    assert.deepEqual(deployment.functions[0]?.environment, { B: '1', C: 'true', E: '' });
  });

  test('a function’s setting wins over the provider’s', () => {
    const provider = { memorySize: 128, environment: { A: '1', B: '1' } };
    const { deployment } = file(provider, { one: { memorySize: 512, environment: { B: '2' } } });
    const [one] = deployment.functions;
    assert.equal(one?.memorySize, 512);
    assert.deepEqual(one?.environment, { A: '1', B: '2' });
  });

  test('a disabled trigger without its settings is left out; an enabled one is missing them', () => {
    const event = (enabled: boolean) => ({
      events: [{ kafka: { instanceId: null, topics: ['orders'], enabled } }],
    });
    const off = file({}, { one: event(false) });
    assert.deepEqual([off.deployment.functions[0]?.triggers, off.missing], [[], []]);
    assert.deepEqual(off.skipped, [{ path: 'functions.one.events[0].kafka.instanceId' }]);
    const on = file({}, { one: event(true) });
    assert.deepEqual(on.missing, [{ path: 'functions.one.events[0].kafka.instanceId' }]);
  });

  test('one value may name several topics', () => {
    const { deployment } = file(
      {},
      { one: { events: [{ kafka: { instanceId: 'i', topics: ['a, b', 'c'] } }] } },
    );
    const [trigger] = deployment.functions[0]?.triggers ?? [];
    assert.deepEqual(trigger?.type === 'KAFKA' && trigger.topics, ['a', 'b', 'c']);
  });

  test('a missing value is traced to the variable that it is read from', () => {
    const yaml = [
      'provider:',
      "  region: ${opt:region, env:REGION, 'eu-de'}",
      '  vpc: {id: "${env:VPC_ID, null}", subnetId: plain}',
      'functions:',
      '  one:',
      '    events:',
      '      - kafka:',
      "          topics: ['${env:TOPICS, null}']",
    ].join('\n');
    assert.equal(variableAt(yaml, 'provider.vpc.id'), 'VPC_ID');
    assert.equal(variableAt(yaml, 'provider.vpc.subnetId'), undefined);
    assert.equal(variableAt(yaml, 'functions.one.events[0].kafka.topics[0]'), 'TOPICS');
    assert.equal(variableAt(yaml, 'functions.two.name'), undefined);
  });
});
