import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { KafkaInstances, type Listener } from '../../deploy/api/kafka-instances.ts';
import { instanceReport } from '../../deploy/instance-report.ts';
import { scratchFolder } from '../support/folders.ts';
import { runScript } from '../support/processes.ts';
import { cases } from './instance-answers.ts';
import { startStandIn } from './samples.ts';
import type { StandIn } from './stand-in/server.ts';

/** As the API reference's example of an instance, with SASL and public access. */
const DETAILS = {
  name: 'kafka-orders',
  engine: 'kafka',
  engine_version: '2.7',
  status: 'RUNNING',
  instance_id: 'instance-1',
  connect_address: '192.168.0.11,192.168.0.12,192.168.0.13',
  port: 9093,
  kafka_private_connect_address: '192.168.0.11:9093,192.168.0.12:9093,192.168.0.13:9093',
  vpc_id: 'vpc-1',
  vpc_name: 'vpc-main',
  subnet_id: 'subnet-1',
  subnet_name: 'subnet-main',
  subnet_cidr: '192.168.0.0/24',
  security_group_id: 'group-1',
  security_group_name: 'kafka',
  ssl_enable: true,
  kafka_security_protocol: 'SASL_SSL',
  sasl_enabled_mechanisms: ['PLAIN', 'SCRAM-SHA-512'],
  enable_publicip: true,
  public_connect_address: '80.158.1.1:9095,80.158.1.2:9095,80.158.1.3:9095',
  cross_vpc_info: JSON.stringify({
    '192.168.0.11': { advertised_ip: '198.19.1.1', port: 9011, port_id: 'p1', success: true },
    '192.168.0.12': { advertised_ip: '198.19.1.2', port: 9011, port_id: 'p2', success: true },
    '192.168.0.13': { advertised_ip: '198.19.1.3', port: 9011, port_id: 'p3', success: false },
  }),
};
const PLAIN_DETAILS = {
  ...DETAILS,
  ssl_enable: false,
  port: 9092,
  kafka_private_connect_address: '',
  enable_publicip: false,
  cross_vpc_info: '{}',
};

async function cloudWith(t: TestContext, details: Record<string, unknown>): Promise<StandIn> {
  const standIn = await startStandIn(t);
  standIn.instances.set('instance-1', {
    details,
    topics: Array.from({ length: 60 }, (_, index) => ({
      name: `topic-${index}`,
      partition: 3,
      replication: 1,
    })),
    users: [{ user_name: 'app', role: 'guest' }, { user_name: 'other' }],
  });
  return standIn;
}

function run({ environment }: StandIn, ...args: string[]) {
  const { PATH, HOME } = process.env;
  return runScript('deploy/instance.ts', args, { PATH, HOME, ...environment });
}

describe('npm run instance', { concurrency: 2 }, () => {
  test('prints addresses, security, rules, users and every topic', async (t) => {
    const { code, stdout, stderr } = await run(await cloudWith(t, DETAILS), 'instance-1');
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split('\n');
    assert.deepEqual(lines.slice(0, 8), [
      'instance      kafka-orders (instance-1), Kafka 2.7, RUNNING',
      'network       VPC vpc-main (vpc-1), subnet subnet-main 192.168.0.0/24 (subnet-1)',
      'security      SASL_SSL with PLAIN, SCRAM-SHA-512; the certificate goes into certificates/',
      "same VPC      192.168.0.11:9093,192.168.0.12:9093,192.168.0.13:9093 in SASL_SSL; kafka (group-1) lets in TCP 9093 from the functions' subnet",
      "peering       192.168.0.11:9093,192.168.0.12:9093,192.168.0.13:9093 in SASL_SSL; kafka (group-1) lets in TCP 9093 from the peer's subnet",
      'VPC endpoint  198.19.1.1:9011,198.19.1.2:9011 in SASL_SSL; kafka (group-1) lets in TCP 9011 from 198.19.128.0/17',
      "public        80.158.1.1:9095,80.158.1.2:9095,80.158.1.3:9095 in SASL_SSL; kafka (group-1) lets in TCP 9095 from the functions' NAT address",
      'users         app, other',
    ]);
    assert.equal(lines.filter((line) => /topic-\d+: 3 partitions, 1 replica$/.test(line)).length, 60);
  });

  test('an instance without SASL and public access', async (t) => {
    const { stdout } = await run(await cloudWith(t, PLAIN_DETAILS), 'instance-1');
    assert.match(stdout, /^security +PLAINTEXT: no certificate and no user is needed$/m);
    assert.match(stdout, /^same VPC +192\.168\.0\.11:9092,/m);
    assert.match(stdout, /^public +off: switch on Public Access/m);
    assert.match(stdout, /^VPC endpoint +off: create/m);
  });

  test('--env - prints the variables that serverless.yml reads, without the password', async (t) => {
    const { stdout } = await run(await cloudWith(t, DETAILS), 'instance-1', '--env', '-');
    assert.deepEqual(stdout.trimEnd().split('\n'), [
      'OS_REGION_NAME=eu-de',
      'DMS_INSTANCE_ID=instance-1',
      'VPC_ID=vpc-1',
      'SUBNET_ID=subnet-1',
      'KAFKA_BOOTSTRAP_SERVERS=192.168.0.11:9093,192.168.0.12:9093,192.168.0.13:9093',
      'KAFKA_SECURITY_PROTOCOL=SASL_SSL',
      'KAFKA_SASL_MECHANISM=SCRAM-SHA-512',
      'KAFKA_SASL_USERNAME=app',
      '# KAFKA_SASL_PASSWORD=',
    ]);
  });

  test('--env writes a file that nobody else may read, and never over another', async (t) => {
    const standIn = await cloudWith(t, DETAILS);
    const directory = scratchFolder('instance');
    const file = join(directory, '.env');
    const { code, stdout, stderr } = await run(standIn, 'instance-1', '--env', file);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, `${file} is written. To fill in: KAFKA_SASL_PASSWORD.\n`);
    const written = readFileSync(file, 'utf8');
    assert.match(written, /^OS_REGION_NAME=eu-de\nDMS_INSTANCE_ID=instance-1\n/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    standIn.forget();
    const again = await run(standIn, 'instance-1', '--env', file, '--access', 'public');
    assert.deepEqual([again.code, again.stdout], [1, '']);
    assert.match(again.stderr, /\.env is there already, and stays as it is: name another file/);
    assert.deepEqual([readFileSync(file, 'utf8'), standIn.requests], [written, []]);
    const nameless = await run(standIn, 'instance-1', '--env');
    assert.match(nameless.stderr, /--env.*\nUsage: npm run instance -- <instance id> \[--env \.env\]/s);
  });

  test('behind an endpoint the network is the functions’ own', async (t) => {
    const args = ['instance-1', '--env', '-', '--access', 'vpc-endpoint'];
    const { stdout } = await run(await cloudWith(t, DETAILS), ...args);
    assert.match(stdout, /^# VPC_ID=\n# SUBNET_ID=\nKAFKA_BOOTSTRAP_SERVERS=198\.19\.1\.1:9011,/m);
  });

  test('--access chooses the way, and says how to get one that is off', async (t) => {
    const { stdout } = await run(
      await cloudWith(t, DETAILS),
      'instance-1',
      '--env',
      '-',
      '--access',
      'public',
    );
    assert.match(stdout, /^KAFKA_BOOTSTRAP_SERVERS=80\.158\.1\.1:9095,/m);
    assert.doesNotMatch(stdout, /VPC_ID/);
    const off = await run(
      await cloudWith(t, PLAIN_DETAILS),
      'instance-1',
      '--env',
      '-',
      '--access',
      'public',
    );
    assert.equal(off.code, 1);
    assert.match(off.stderr, /^kafka-orders has no public access: switch on Public Access/);
  });

  test('an instance that is not there is one sentence', async (t) => {
    const standIn = await cloudWith(t, DETAILS);
    const { code, stderr, stdout } = await run(standIn, 'instance-2');
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /answered 404 DMS.00404022: This instance does not exist\.\s*$/);
    assert.doesNotMatch(stderr, new RegExp(standIn.secretKey));
  });
});

describe('an answer of', () => {
  for (const { name, answer, ways, says } of cases) {
    test(name, async (t) => {
      const standIn = await startStandIn(t);
      standIn.instances.set('instance-1', { details: answer, topics: [], users: [] });
      const { region, projectId, url: endpoint, accessKey, secretKey } = standIn;
      const instances = new KafkaInstances({
        region,
        projectId,
        endpoint,
        credentials: { accessKey, secretKey },
      });
      const instance = await instances.get('instance-1');
      const present = Object.entries<readonly Listener[]>({ ...instance.listeners })
        .filter(([, listeners]) => listeners.length > 0)
        .map(([way, listeners]) => [
          way,
          listeners.map(({ protocol, addresses }) => `${protocol} ${addresses[0]}`).join(', '),
        ]);
      assert.deepEqual(Object.fromEntries(present), ways);
      if (says) assert.match(instanceReport(instance), says);
    });
  }
});
