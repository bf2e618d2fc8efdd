/** `serverless.aws.yml`, packaged by osls's own provider and read by CloudFormation's linter. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { variablesRead } from '../../build/variable-tables.ts';
import { functionNames } from '../../functions/http/config.ts';
import { buildOwn } from '../support/bundle.ts';
import { scratchFolder } from '../support/folders.ts';
import { root } from '../support/processes.ts';
import { pythonTool, SET_UP_MS } from '../support/tools.ts';

const FILE = 'serverless.aws.yml';
const linter = pythonTool(['cfn-lint==1.58.0']);
const CLUSTER = 'arn:aws:kafka:eu-west-1:111122223333:cluster/orders/751d2973-a626-431c-9d4e-d7975eb44dd7-2';
const SECRET = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:AmazonMSK_orders-a1b2c3';
const variables = {
  AWS_REGION: 'eu-west-1',
  MSK_CLUSTER_ARN: CLUSTER,
  KAFKA_SECRET_ARN: SECRET,
  KAFKA_BOOTSTRAP_SERVERS: 'b-1.orders.a1bcde.c1.kafka.eu-west-1.amazonaws.com:9096',
  KAFKA_TRIGGER: 'true',
  PULL_TIMER: 'false',
  SUBNET_IDS: 'subnet-0123456789abcdef0,subnet-0123456789abcdef1',
  SECURITY_GROUP_IDS: 'sg-0123456789abcdef0',
};

interface Resource {
  Type: string;
  Condition?: string;
  Properties: Record<string, unknown>;
}

/** A process without any network, where the machine has such; npm and the cloud are out of its reach. */
const offline = spawnSync('unshare', ['-rn', 'true']).status === 0 ? ['unshare', '-rn'] : [];

const directory = scratchFolder('aws');
await buildOwn({ functions: functionNames, outdir: join(directory, 'dist'), certificates: directory });

function osls(environment: Record<string, string>) {
  cpSync(join(root, FILE), join(directory, FILE));
  const [command = '', ...args] = [
    ...offline,
    process.execPath,
    join(root, 'node_modules/osls/bin/serverless.js'),
  ];
  const { status, stdout, stderr } = spawnSync(command, [...args, 'package', '-c', FILE], {
    cwd: directory,
    env: { PATH: process.env.PATH ?? '', HOME: directory, ...environment },
    encoding: 'utf8',
  });
  return { code: status, output: stderr + stdout };
}

/** The template that CloudFormation would get. */
function packaged(environment: Record<string, string>) {
  const { code, output } = osls(environment);
  assert.equal(code, 0, output);
  assert.doesNotMatch(output, /warning/i);
  const path = join(directory, '.serverless/cloudformation-template-update-stack.json');
  const text = readFileSync(path, 'utf8');
  const { Resources } = JSON.parse(text) as { Resources: Record<string, Resource> };
  const ofType = (type: string) => Object.values(Resources).filter(({ Type }) => Type === type);
  return { path, text, resources: Resources, ofType };
}

test('without a variable, a credential or a network', () => {
  const { resources, ofType } = packaged({});
  assert.equal(ofType('AWS::Lambda::Function').length, 3);
  assert.equal(resources.ConsumeBatchTrigger?.Condition, 'HasCluster');
});

describe('with the variables of a cluster', () => {
  const { path, text, resources, ofType } = packaged(variables);

  test('the functions have their settings, and no secret but by reference', () => {
    const functions = ofType('AWS::Lambda::Function').map(({ Properties }) => Properties);
    assert.deepEqual(
      functions.map(({ FunctionName }) => FunctionName),
      functionNames.map((name) => `kafka-functions-dev-${name}`),
    );
    for (const { Handler, Runtime, Environment } of functions) {
      assert.deepEqual([Handler, Runtime], ['index.handler', 'nodejs24.x']);
      const { Variables } = Environment as { Variables: Record<string, string> };
      assert.equal(Variables.KAFKA_BOOTSTRAP_SERVERS, variables.KAFKA_BOOTSTRAP_SERVERS);
      assert.equal(
        Variables.KAFKA_SASL_PASSWORD,
        `{{resolve:secretsmanager:${SECRET}:SecretString:password}}`,
      );
    }
  });

  test('the Kafka trigger reads which records failed, and the function says so', () => {
    const Properties = resources.ConsumeBatchTrigger?.Properties ?? {};
    assert.deepEqual(Properties.FunctionResponseTypes, ['ReportBatchItemFailures']);
    assert.equal(Properties.EventSourceArn, CLUSTER);
    assert.equal(Properties.Enabled, true);
    assert.match(text, /"CONSUME_PARTIAL_RESPONSE": "true"/);
  });

  test('of the two ways to consume one is on, and the check has its schedule', () => {
    const rules = ofType('AWS::Events::Rule').map(({ Properties }) => Properties);
    assert.deepEqual(
      rules.map(({ ScheduleExpression, State }) => [ScheduleExpression, State]),
      [
        ['rate(1 minute)', 'DISABLED'],
        ['rate(5 minutes)', 'ENABLED'],
      ],
    );
  });

  test('a failed check is not run again at once, and raises the alarm', () => {
    const retries = ofType('AWS::Lambda::EventInvokeConfig').map(({ Properties }) => Properties);
    assert.deepEqual(
      retries.map(({ MaximumRetryAttempts }) => MaximumRetryAttempts),
      [0, 0],
    );
    const Properties = resources.ConnectivityAlarm?.Properties ?? {};
    assert.deepEqual(Properties.Dimensions, [
      { Name: 'FunctionName', Value: { Ref: 'ConnectivityDashcheckLambdaFunction' } },
    ]);
    assert.ok(resources.ConnectivityDashcheckLambdaFunction);
  });

  test('nobody reaches a route without a signature', () => {
    const routes = ofType('AWS::ApiGatewayV2::Route').map(({ Properties }) => Properties);
    assert.deepEqual(
      routes.map(({ RouteKey, AuthorizationType }) => [RouteKey, AuthorizationType]),
      [
        ['ANY /{proxy+}', 'AWS_IAM'],
        ['GET /connectivity-check', 'AWS_IAM'],
      ],
    );
  });

  describe("CloudFormation's linter", () => {
    let reason: string | undefined;
    before(
      async () => {
        reason = await linter.missing();
      },
      { timeout: SET_UP_MS },
    );
    // Not by its own first line, which names the folder that it was installed in.
    const script = join(dirname(linter.path), 'cfn-lint');
    const lint = (template: string) =>
      spawnSync(linter.path, [script, '--non-zero-exit-code', 'error', '--', template], { encoding: 'utf8' });

    test('takes the template', (t: TestContext) => {
      if (reason) return t.skip(reason);
      const { status, stdout, stderr } = lint(path);
      assert.equal(status, 0, stdout + stderr);
    });

    test('would see a mistake in it', (t: TestContext) => {
      if (reason) return t.skip(reason);
      const wrong = join(directory, 'wrong.json');
      writeFileSync(wrong, text.replace('ReportBatchItemFailures', 'ReportFailures'));
      assert.match(lint(wrong).stdout, /ReportFailures/);
    });
  });
});

test('what the file and its page name is what the functions and the file read', () => {
  const yaml = readFileSync(join(root, FILE), 'utf8');
  const page = readFileSync(join(root, 'docs/aws.md'), 'utf8');
  const [, block = ''] = page.split('```sh');
  const named = block.match(/^[A-Z_]+(?==)/gm) ?? [];
  assert.ok(named.length > 4);
  assert.deepEqual(
    named.filter((name) => !yaml.includes(`env:${name}`)),
    [],
  );
  const asked = variablesRead();
  const set = [...yaml.matchAll(/^ +((?:KAFKA|CONSUME|CHECK|PRODUCE)_[A-Z_]+): /gm)].map(([, name]) => name);
  assert.ok(set.length > 10);
  assert.deepEqual(
    set.filter((name) => !asked.has(name ?? '')),
    [],
  );
});
