import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { zipSync } from 'fflate';
import { KafkaInstances } from '../../deploy/api/kafka-instances.ts';
import { missingCertificate } from '../../deploy/certificate-check.ts';
import { cloudFindings } from '../../deploy/cloud-check.ts';
import { functionSettingProblems } from '../../deploy/function-settings.ts';
import { placeholder } from '../../deploy/read-description.ts';
import { scratchFolder } from '../support/folders.ts';
import { clientOf, kafka, sampleDeployment, sampleFunction, startStandIn, timer } from './samples.ts';
import type { StandIn } from './stand-in/server.ts';

const CONNECTION = { KAFKA_BOOTSTRAP_SERVERS: '10.0.0.5:9093', KAFKA_SASL_USERNAME: 'app' };

describe('settings as the functions read them', () => {
  function problemsOf(
    source: string,
    environment: Record<string, string>,
    ...triggers: (typeof timer)[]
  ): string[] {
    const all = { ...CONNECTION, ...environment };
    return functionSettingProblems(sampleFunction({ key: 'one', source, environment: all, triggers }));
  }

  test('right ones pass, for every function', () => {
    const pull = { CONSUME_TOPICS: 'orders', KAFKA_GROUP_ID: 'group' };
    assert.deepEqual(problemsOf('produce', { PRODUCE_TOPICS: 'orders' }), []);
    assert.deepEqual(problemsOf('consume-batch', pull, timer), []);
    assert.deepEqual(problemsOf('connectivity-check', { CHECK_TOPIC: 'orders' }), []);
    assert.deepEqual(problemsOf('http', pull), []);
    // A path of the platform's machine.
    assert.deepEqual(problemsOf('produce', { KAFKA_SSL_CA_LOCATION: '/opt/function/code/ca.pem' }), []);
  });

  const wrong: [source: string, environment: Record<string, string>, sentence: RegExp][] = [
    ['produce', { KAFKA_BOOTSTRAP_SERVERS: 'not an address' }, /KAFKA_BOOTSTRAP_SERVERS must be host:port/],
    ['produce', { KAFKA_ACKS: '2' }, /KAFKA_ACKS must be one of all/],
    [
      'consume-batch',
      { CONSUME_SINK: 'http', CONSUME_TOPICS: 'a', KAFKA_GROUP_ID: 'g' },
      /CONSUME_SINK_URL is required/,
    ],
    ['consume-batch', { CONSUME_TOPICS: 'orders' }, /KAFKA_GROUP_ID is required/],
    [
      'connectivity-check',
      { CHECK_ALLOWED_ADDRESSES: 'everywhere' },
      /CHECK_ALLOWED_ADDRESSES must hold addresses/,
    ],
    ['http', { HTTP_API_KEYS: 'plain' }, /HTTP_API_KEYS must hold SHA-256 hashes/],
    ['produce', { KAFKA_SSL_CA_PEM: 'not PEM' }, /KAFKA_SSL_CA_PEM holds no certificate/],
  ];
  for (const [source, environment, sentence] of wrong) {
    test(`${source} with ${Object.keys(environment)[0]} wrong`, () => {
      const problems = problemsOf(source, environment, timer);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', sentence);
      assert.match(problems[0] ?? '', /^functions\.one\.environment: /);
    });
  }

  test('what has no value yet is not called wrong', () => {
    assert.deepEqual(problemsOf('produce', { KAFKA_BOOTSTRAP_SERVERS: placeholder('provider.x') }), []);
  });
});

describe('the certificate for DMS', () => {
  function zip(code: string): string {
    const directory = scratchFolder('zip');
    writeFileSync(join(directory, 'one.zip'), zipSync({ 'index.js': Buffer.from(code) }));
    return join(directory, 'one.zip');
  }
  const BARE = 'x("must be -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----")';
  const of = (environment: Record<string, string>, code = BARE) =>
    missingCertificate(sampleFunction({ environment: { ...CONNECTION, ...environment } }), zip(code));

  for (const port of [9093, 9095, 9193, 9011]) {
    test(`is missed at port ${port}`, async () => {
      const gap = await of({ KAFKA_BOOTSTRAP_SERVERS: `10.0.0.5:${port}, 10.0.0.6:${port}` });
      assert.match(gap ?? '', new RegExp(`speaks SASL_SSL to 10\\.0\\.0\\.5:${port} and has no certificate`));
    });
  }

  test('is there in the bundle, or in a variable, or not needed', async () => {
    assert.equal(await of({}, `x="-----BEGIN CERTIFICATE-----\\n${'MIID'.repeat(8)}"`), undefined);
    assert.equal(await of({ KAFKA_SSL_CA_PEM: 'some' }), undefined);
    assert.equal(await of({ KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT' }), undefined);
    assert.equal(await of({ KAFKA_BOOTSTRAP_SERVERS: 'broker.example.com:9092' }), undefined);
    assert.equal(await of({ KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: 'https' }), undefined);
  });
});

describe('what only the cloud knows', () => {
  const withKafka = sampleDeployment(sampleFunction({ triggers: [kafka] }));
  const findings = (standIn: StandIn, deployment = withKafka) =>
    cloudFindings(deployment, clientOf(standIn), instancesOf(standIn));

  function instancesOf({ region, projectId, url: endpoint, accessKey, secretKey }: StandIn): KafkaInstances {
    return new KafkaInstances({ region, projectId, endpoint, credentials: { accessKey, secretKey } });
  }

  function place(standIn: StandIn, subnet: string): void {
    const details = { vpc_id: 'vpc-1', subnet_id: subnet };
    standIn.instances.set('instance-1', { details, topics: [], users: [] });
  }

  test('a Kafka trigger in the subnet of its instance passes', async (t) => {
    const standIn = await startStandIn(t);
    place(standIn, 'subnet-1');
    assert.deepEqual(await findings(standIn), { problems: [], warnings: [] });
  });

  test('one in another subnet, or of an instance that is not there, is refused', async (t) => {
    const standIn = await startStandIn(t);
    assert.match((await findings(standIn)).problems.join(), /instance instance-1 does not exist in eu-de/);
    place(standIn, 'subnet-2');
    assert.match((await findings(standIn)).problems.join(), /is in subnet subnet-2 .*needs the same subnet/);
  });

  test('an instance that may not be looked at is a warning', async (t) => {
    const standIn = await startStandIn(t);
    standIn.faults.push({ method: 'GET', path: /instances/, how: 403 });
    const { problems, warnings } = await findings(standIn);
    assert.deepEqual(problems, []);
    assert.match(warnings.join(), /instance-1 could not be looked at: .*lacks the permission/);
  });

  test('a region that does not say which runtimes it has is believed', async (t) => {
    const standIn = await startStandIn(t);
    standIn.runtimes = undefined;
    const plain = sampleDeployment(sampleFunction());
    assert.deepEqual(await findings(standIn, plain), { problems: [], warnings: [] });
    standIn.runtimes = ['Node.js18.15'];
    assert.match((await findings(standIn, plain)).problems.join(), /eu-de has Node\.js18\.15\./);
  });
});
