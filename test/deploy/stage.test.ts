import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Deployment, FunctionDescription } from '../../deploy/description.ts';
import { settleStage } from '../../deploy/plan.ts';
import { groupMove, withStage } from '../../deploy/stage.ts';
import {
  type Cloud,
  clientOf,
  gateway,
  sampleDeployment,
  sampleFunction,
  startCloud,
  timer,
} from './samples.ts';

const consumer = (group: string, changes: Partial<FunctionDescription> = {}) =>
  sampleFunction({
    key: 'consume',
    environment: { CONSUME_TOPICS: 'orders', KAFKA_GROUP_ID: group },
    triggers: [timer],
    ...changes,
  });
const check = (group: string, path = '/connectivity-check') =>
  sampleFunction({
    key: 'check',
    environment: { CHECK_GROUP_ID: group },
    triggers: [{ ...gateway, name: 'shop_check', path }],
  });
const on = (stage: string, ...functions: FunctionDescription[]): Deployment => ({
  ...sampleDeployment(...functions),
  stage,
});

/** The groups and paths that come out. */
function chosen({ functions }: Deployment): (string | undefined)[] {
  return functions.flatMap(({ environment, triggers }) => [
    environment.KAFKA_GROUP_ID ?? environment.CHECK_GROUP_ID,
    ...triggers.flatMap((trigger) => (trigger.type === 'DEDICATEDGATEWAY' ? [trigger.path] : [])),
  ]);
}

async function settle(cloud: Cloud, deployment: Deployment): Promise<Deployment> {
  return settleStage(clientOf(cloud.standIn), deployment);
}

describe('a stage that is first deployed', () => {
  const produce = sampleFunction({ triggers: [gateway] });

  test('has its own group and paths, and dev those without a stage', async (t) => {
    const cloud = await startCloud(t);
    const functions = [produce, consumer(''), check('')];
    assert.deepEqual(chosen(await settle(cloud, on('prod', ...functions))), [
      undefined,
      '/prod',
      'shop-prod',
      'shop-prod',
      '/prod/connectivity-check',
    ]);
    assert.deepEqual(chosen(await settle(cloud, on('dev', ...functions))), [
      undefined,
      '/',
      'shop',
      'shop',
      '/connectivity-check',
    ]);
  });

  test('has what the file says', () => {
    const explicit = { ...on('prod', produce, consumer('mine'), check('')), basePath: '/shop/' };
    assert.deepEqual(chosen(withStage(explicit, new Map())), [
      undefined,
      '/shop',
      'mine',
      'mine',
      '/shop/connectivity-check',
    ]);
    const none = { ...explicit, basePath: '/' };
    assert.deepEqual(
      chosen(withStage(none, new Map())).filter((path) => path?.startsWith('/')),
      ['/', '/connectivity-check'],
    );
  });
});

describe('a stage that is deployed', () => {
  const before = on('prod', consumer('kafka-functions'), check('kafka-functions'));
  const open = on('prod', consumer(''), check(''));

  test('keeps its group and its paths', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(before);
    const settled = await settle(cloud, open);
    assert.deepEqual(chosen(settled), ['kafka-functions', 'kafka-functions', '/connectivity-check']);
    assert.deepEqual((await cloud.deploy(settled)).plan, []);
  });

  test('keeps those of its own as well', async (t) => {
    const cloud = await startCloud(t);
    const first = await settle(cloud, open);
    await cloud.deploy(first);
    assert.deepEqual((await cloud.deploy(await settle(cloud, open))).plan, []);
    assert.deepEqual(chosen(first), ['shop-prod', 'shop-prod', '/prod/connectivity-check']);
  });

  test('takes another path that the file says, below its own', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(before);
    const moved = on('prod', consumer(''), check('', '/health'));
    assert.equal(chosen(await settle(cloud, moved)).at(-1), '/prod/health');
  });

  test('gives a check that comes later the group that is read', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(on('prod', consumer('kafka-functions')));
    assert.equal(chosen(await settle(cloud, open))[1], 'kafka-functions');
  });

  test('takes another group with --move-group alone, and its check goes along', async (t) => {
    const cloud = await startCloud(t);
    await cloud.deploy(before);
    const moved = await settle(cloud, on('prod', consumer('other'), check('')));
    await assert.rejects(
      cloud.deploy(moved),
      /reads as the consumer group "kafka-functions", .* as "other", .*the records of orders that Kafka still keeps are all handled again .*--move-group/,
    );
    const { plan } = await cloud.deploy(moved, { moveGroup: true });
    assert.deepEqual(plan, [
      '~ configuration of shop-dev-consume: KAFKA_GROUP_ID',
      '~ configuration of shop-dev-check: CHECK_GROUP_ID',
    ]);
  });
});

describe('what a move of the group does', () => {
  const consequences: [reset: string | undefined, sentence: RegExp][] = [
    [undefined, /all handled again \(KAFKA_AUTO_OFFSET_RESET=earliest\)/],
    ['latest', /the records of orders that came since the last pull are skipped/],
    ['none', /every pull fails until it has offsets/],
  ];
  for (const [reset, sentence] of consequences) {
    test(`is said for ${reset ?? 'the default'}`, () => {
      const environment = {
        CONSUME_TOPICS: 'orders',
        KAFKA_GROUP_ID: 'b',
        ...(reset === undefined ? {} : { KAFKA_AUTO_OFFSET_RESET: reset }),
      };
      assert.match(groupMove(sampleFunction({ environment }), { KAFKA_GROUP_ID: 'a' }) ?? '', sentence);
    });
  }

  test('nothing where there was no group, or it is the same, or it goes', () => {
    const { environment } = consumer('a');
    assert.equal(groupMove(sampleFunction({ environment }), {}), undefined);
    assert.equal(groupMove(sampleFunction({ environment }), { KAFKA_GROUP_ID: 'a' }), undefined);
    assert.equal(groupMove(sampleFunction({}), { KAFKA_GROUP_ID: 'a' }), undefined);
  });
});
