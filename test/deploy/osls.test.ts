// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the variables of serverless.yml, not ours.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { unzipSync } from 'fflate';
import { createCertificateAuthority } from '../../local/kafka/certificates.ts';
import { withoutLateFiles } from '../support/bundle.ts';
import { startStandIn } from './samples.ts';
import { newService, projectFile } from './service.ts';
import { FUNCTION, faultsOf, TRIGGER } from './terraform-schema.ts';

const FUNCTIONS = ['produce', 'consume-batch', 'connectivity-check'];
const PASSWORD = 'sasl-password-of-the-tests';

const SMALL = `
service: shop
frameworkVersion: '4'
configValidationMode: error
plugins: [./deploy/plugin.cjs]
provider:
  name: functiongraph
  stage: dev
  agency: vpc-agency
  vpc: {id: vpc-1, subnetId: subnet-1}
  logs: {groupId: g, groupName: group, streamId: s, streamName: stream}
  environment:
    KAFKA_BOOTSTRAP_SERVERS: 127.0.0.1:1
    KAFKA_SASL_USERNAME: app
  encryptedEnvironment:
    KAFKA_SASL_PASSWORD: \${env:KAFKA_SASL_PASSWORD, null}
functions:
  produce:
    initializer: ''
    environment: {LOG_LEVEL: info}
    events:
      - timer: {name: one, rate: 1m}
`;

describe('osls', { concurrency: 2 }, () => {
  test('packages this project with nothing set, the same bytes each time', async () => {
    const service = newService(projectFile);
    const first = await service.osls('package');
    assert.equal(first.code, 0, first.output);
    const zips = FUNCTIONS.map((name) => readFileSync(join(service.directory, 'dist', `${name}.zip`)));
    for (const zip of zips)
      assert.deepEqual(withoutLateFiles(Object.keys(unzipSync(zip))), ['index.js', 'package.json']);

    const again = await service.osls('package', '--package', 'elsewhere', '--terraform');
    assert.equal(again.code, 0, again.output);
    const copies = FUNCTIONS.map((name) => readFileSync(join(service.directory, 'elsewhere', `${name}.zip`)));
    assert.deepEqual(copies.map(sha256), zips.map(sha256));

    const terraform = JSON.parse(
      readFileSync(join(service.directory, 'elsewhere', 'functions.tf.json'), 'utf8'),
    );
    const functions = Object.values<Record<string, unknown>>(
      terraform.resource.opentelekomcloud_fgs_function_v2,
    );
    const triggers = Object.values<Record<string, unknown>>(
      terraform.resource.opentelekomcloud_fgs_trigger_v2,
    );
    assert.equal(functions.length, 3);
    assert.deepEqual(
      functions.flatMap((one) => faultsOf(one, FUNCTION)),
      [],
    );
    assert.deepEqual(triggers.map(({ type }) => type).sort(), [
      'DEDICATEDGATEWAY',
      'DEDICATEDGATEWAY',
      'TIMER',
      'TIMER',
    ]);
    assert.deepEqual(
      triggers.flatMap((one) => faultsOf(one, TRIGGER)),
      [],
    );
    assert.ok(terraform.variable.gateway_group_id && terraform.variable.kafka_sasl_password.sensitive);
  });

  test('asks for everything that is not set, by the name to set, before anything is sent', async () => {
    const service = newService(projectFile);
    const { code, output } = await service.osls('deploy', '--region', 'eu-nl');
    assert.equal(code, 1);
    assert.match(output, /provider\.vpc\.id has no value: set VPC_ID in the environment\./);
    for (const name of [
      'FUNCTION_AGENCY',
      'KAFKA_BOOTSTRAP_SERVERS',
      'KAFKA_SASL_PASSWORD',
      'GATEWAY_GROUP_ID',
    ]) {
      assert.match(output, new RegExp(`: set ${name} in the environment`));
    }
    assert.doesNotMatch(output, /set DMS_INSTANCE_ID/, 'the Kafka trigger is off');
    assert.doesNotMatch(output, /produce\.zip/, 'nothing was built');
  });

  test('says that there are no credentials, and where they may be, before anything is built', async () => {
    const service = newService(SMALL);
    service.environment = { KAFKA_SASL_PASSWORD: PASSWORD };
    const { code, output } = await service.osls('deploy');
    assert.equal(code, 1);
    assert.match(output, /No credentials: set OS_ACCESS_KEY and OS_SECRET_KEY/);
    assert.doesNotMatch(output, /produce\.zip|\n\s+at /);
  });

  test('reads the settings as the functions will, and sends nothing that they refuse', async (t) => {
    const standIn = await startStandIn(t);
    const service = newService(SMALL.replace('127.0.0.1:1', 'not an address').replace(': info', ': loud'));
    service.environment = { ...standIn.environment, KAFKA_SASL_PASSWORD: PASSWORD };
    const { code, output } = await service.osls('deploy');
    assert.equal(code, 1);
    assert.match(
      output,
      /functions\.produce\.environment: KAFKA_BOOTSTRAP_SERVERS must be host:port,host:port/,
    );
    assert.match(output, /functions\.produce\.environment: LOG_LEVEL must be one of/);
    assert.deepEqual(standIn.requests, []);
  });

  test('deploys nothing that would speak TLS to DMS without a certificate; a package is only warned of', async (t) => {
    const standIn = await startStandIn(t);
    const service = newService(SMALL.replace('127.0.0.1:1', '10.0.0.5:9093'));
    service.environment = { ...standIn.environment, KAFKA_SASL_PASSWORD: PASSWORD };
    const sentence =
      /functions\.produce speaks SASL_SSL to 10\.0\.0\.5:9093 and has no certificate: put phy_ca\.crt/;
    const packaged = await service.osls('package');
    assert.equal(packaged.code, 0, packaged.output);
    assert.match(packaged.output, sentence);
    for (const args of [
      ['deploy'],
      ['deploy', '--package', 'dist'],
      ['deploy', 'function', '-f', 'produce'],
    ]) {
      const refused = await service.osls(...args);
      assert.equal(refused.code, 1, args.join(' '));
      assert.match(refused.output, sentence);
    }
    assert.deepEqual(standIn.changes, []);
    const { certificate } = await createCertificateAuthority();
    mkdirSync(join(service.directory, 'certificates'));
    writeFileSync(join(service.directory, 'certificates', 'phy_ca.crt'), certificate);
    const deployed = await service.osls('deploy');
    assert.equal(deployed.code, 0, deployed.output);
  });

  const wrong: [name: string, from: string, to: string, sentence: RegExp][] = [
    ['an unknown trigger', 'timer:', 'kinesis:', /unsupported function event/],
    ['an unknown setting', 'initializer:', 'initialiser:', /unrecognized property 'initialiser'/],
    [
      'a handler that is not there',
      "initializer: ''",
      'handler: index.main',
      /functions\.produce\.handler is index\.main, but the bundle exports /,
    ],
  ];
  for (const [name, from, to, sentence] of wrong) {
    test(`refuses ${name} with one sentence`, async () => {
      const service = newService(SMALL.replace(from, to));
      const { code, output } = await service.osls('package');
      assert.equal(code, 1);
      assert.match(output, sentence);
      assert.doesNotMatch(output, /\n\s+at /, 'no stack');
    });
  }

  test('deploys, says what is deployed, calls it, shows its log, and removes it', async (t) => {
    const standIn = await startStandIn(t);
    const service = newService(SMALL);
    service.environment = { ...standIn.environment, KAFKA_SASL_PASSWORD: PASSWORD };
    let said = '';
    async function osls(...args: string[]): Promise<string> {
      standIn.forget();
      const { code, output } = await service.osls(...args);
      assert.equal(code, 0, output);
      said += output;
      return output;
    }

    const plan = await osls('deploy', '--dry-run');
    assert.match(plan, /\+ function shop-dev-produce/);
    assert.match(plan, /2 changes; nothing was changed \(--dry-run\)/);
    assert.deepEqual(standIn.changes, []);

    const info = await osls('deploy');
    assert.equal(standIn.changes.length, 3);
    assert.match(info, /urn:fss:eu-de:.*:shop-dev-produce/);
    assert.match(info, /called by +the timer one, 1m/);
    assert.match(info, /variables +KAFKA_BOOTSTRAP_SERVERS, KAFKA_SASL_USERNAME, LOG_LEVEL/);

    writeFileSync(join(service.directory, 'event.json'), '{"not":"an HTTP event"}');
    const answer = await osls('invoke', '-f', 'produce', '--path', 'event.json');
    assert.match(answer, /"statusCode": 4\d\d/);
    for (const stored of standIn.functions.all) stored.log.push('a line of its log');
    assert.match(await osls('logs', '-f', 'produce'), /a line of its log/);

    service.write(SMALL.replace('LOG_LEVEL: info', 'LOG_LEVEL: debug'));
    assert.match(
      await osls('deploy', 'function', '-f', 'produce'),
      /configuration of shop-dev-produce: LOG_LEVEL/,
    );
    assert.equal(standIn.changes.length, 1);

    await osls('remove');
    assert.deepEqual(standIn.functions.all, []);

    for (const secret of [PASSWORD, standIn.secretKey]) {
      assert.ok(!said.includes(secret), 'printed');
      assert.ok(!service.contents().includes(secret), 'written');
    }
  });

  test('what was typed wrong is one sentence each, without a stack', async (t) => {
    const standIn = await startStandIn(t);
    const service = newService(SMALL);
    service.environment = { ...standIn.environment, KAFKA_SASL_PASSWORD: PASSWORD };
    const typed: [args: string[], sentence: RegExp][] = [
      [['invoke', '-f', 'produce', '--data', '{bad'], /--data is not JSON: /],
      [['invoke', '-f', 'produce', '--path', 'gone.json'], /--path gone\.json: there is no such file\./],
      [['logs', '-f', 'produce'], /FSS\.1051: Not found the function/],
      [['deploy', '--package', 'nowhere'], /functions\.produce has no package; run npx osls package/],
    ];
    for (const [args, sentence] of typed) {
      const { code, output } = await service.osls(...args);
      assert.equal(code, 1, output);
      assert.match(output, sentence);
      assert.doesNotMatch(output, /\n\s+at /, 'no stack');
    }
    service.environment.FUNCTIONGRAPH_ENDPOINT = 'not a host';
    const { output } = await service.osls('info');
    assert.match(output, /FUNCTIONGRAPH_ENDPOINT must be an https:\/\/ address/);
    assert.doesNotMatch(output, /\n\s+at /, 'no stack');
  });

  test('a runtime that the region does not have is refused with those that it has', async (t) => {
    const standIn = await startStandIn(t);
    standIn.runtimes = ['Node.js18.15', 'Node.js22.18'];
    const service = newService(SMALL);
    service.environment = { ...standIn.environment, KAFKA_SASL_PASSWORD: PASSWORD };
    const { code, output } = await service.osls('deploy', '--dry-run');
    assert.equal(code, 1);
    assert.match(output, /runtime is "Node\.js20\.15"; eu-de has Node\.js18\.15, Node\.js22\.18\./);
  });

  test('a stage reads as its own group, and takes another with --move-group alone', async (t) => {
    const standIn = await startStandIn(t);
    const group = 'KAFKA_GROUP_ID: "${env:KAFKA_GROUP_ID, \'\'}", CONSUME_TOPICS: orders';
    const service = newService(SMALL.replace('LOG_LEVEL: info', group));
    service.environment = { ...standIn.environment, KAFKA_SASL_PASSWORD: PASSWORD };
    const groups = () =>
      standIn.functions.all.map(({ config }) => JSON.parse(String(config.user_data)).KAFKA_GROUP_ID);
    const deploy = (...args: string[]) => service.osls('deploy', '--stage', 'prod', ...args);
    const first = await deploy();
    assert.equal(first.code, 0, first.output);
    assert.deepEqual(groups(), ['shop-prod']);
    service.environment.KAFKA_GROUP_ID = 'other';
    const refused = await deploy();
    assert.match(
      refused.output,
      /as "other", unless that has offsets, the records of orders .*--move-group/s,
    );
    assert.deepEqual([refused.code, groups()], [1, ['shop-prod']]);
    const moved = await deploy('--move-group');
    assert.equal(moved.code, 0, moved.output);
    assert.deepEqual(groups(), ['other']);
  });

  test('a wrong key and an unknown function are one sentence', async (t) => {
    const standIn = await startStandIn(t);
    const service = newService(SMALL);
    service.environment = {
      ...standIn.environment,
      KAFKA_SASL_PASSWORD: PASSWORD,
      OS_SECRET_KEY: 'wrong-key',
    };
    const refused = await service.osls('info');
    assert.match(
      refused.output,
      /401 APIG\.0301: .*are the access key and the secret key those of this cloud/,
    );
    assert.doesNotMatch(refused.output, /wrong-key|\n\s+at /);
    const unknown = await service.osls('invoke', '-f', 'consume');
    assert.match(unknown.output, /There is no function "consume" in serverless\.yml; it has produce\./);
  });
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
