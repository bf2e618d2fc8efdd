/** A deployment that ends behind any of its requests is carried on by the next. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { Deployment } from '../../deploy/description.ts';
import { planDeployment, planRemoval } from '../../deploy/plan.ts';
import type { Step } from '../../deploy/plan-triggers.ts';
import {
  type Cloud,
  clientOf,
  gateway,
  kafka,
  sampleDeployment,
  sampleFunction,
  startCloud,
  timer,
} from './samples.ts';

const before = sampleDeployment(
  sampleFunction({ triggers: [timer, gateway, { ...kafka, status: 'ACTIVE' }] }),
  sampleFunction({ key: 'consume', triggers: [timer] }),
);
const after = sampleDeployment(
  sampleFunction({
    memorySize: 512,
    encryptedEnvironment: { KAFKA_SASL_PASSWORD: 'new' },
    triggers: [{ ...timer, schedule: '5m' }, gateway, { ...kafka, status: 'ACTIVE', password: 'new' }],
  }),
);

/** What stands on the platform, less what differs from one deployment to the next. */
function state({ standIn }: Cloud): unknown {
  return standIn.functions.all.map(({ name, config, triggers }) => ({
    name,
    config: { ...config, description: undefined },
    triggers: triggers.all
      .map(({ trigger_type_code, trigger_status, event_data }) => [
        trigger_type_code,
        trigger_status,
        event_data,
      ])
      .sort(),
  }));
}

async function deployTo(cloud: Cloud, deployment: Deployment): Promise<void> {
  await run(planDeployment({ api: clientOf(cloud.standIn), deployment, artifacts: cloud.artifacts }));
}

async function run(steps: Promise<Step[]>): Promise<void> {
  for (const step of await steps) await step.run();
}

/** Runs `work` once to the end for what it makes, then cut off behind each of its requests, and carried on. */
async function interruptEverywhere(
  t: TestContext,
  prepare: (cloud: Cloud) => Promise<void>,
  work: (cloud: Cloud) => Promise<void>,
): Promise<number> {
  const reference = await startCloud(t);
  await prepare(reference);
  reference.standIn.forget();
  await work(reference);
  const count = reference.standIn.requests.length;
  for (let at = 1; at <= count; at++) {
    const cloud = await startCloud(t);
    await prepare(cloud);
    cloud.standIn.cutAfter = at;
    await assert.rejects(work(cloud), /got no answer/, `request ${at}`);
    cloud.standIn.cutAfter = undefined;
    await work(cloud);
    assert.deepEqual(state(cloud), state(reference), `request ${at} of ${count}`);
    cloud.standIn.forget();
    await work(cloud);
    assert.deepEqual(cloud.standIn.changes, [], `request ${at}: the one after it has nothing to do`);
  }
  return count;
}

describe('cut off behind every request', { concurrency: 2 }, () => {
  test('a first deployment that was interrupted is completed by the next', async (t) => {
    const count = await interruptEverywhere(
      t,
      async () => {},
      (cloud) => deployTo(cloud, before),
    );
    assert.ok(count > 12, `${count} requests`);
  });

  test('a change that was interrupted, which replaces and removes, is completed by the next', async (t) => {
    const count = await interruptEverywhere(
      t,
      (cloud) => deployTo(cloud, before),
      (cloud) => deployTo(cloud, after),
    );
    assert.ok(count > 20, `${count} requests`);
  });

  test('a removal that was interrupted is completed by the next', async (t) => {
    const remove = (cloud: Cloud) => run(planRemoval(clientOf(cloud.standIn), before));
    const count = await interruptEverywhere(t, (cloud) => deployTo(cloud, before), remove);
    assert.ok(count > 12, `${count} requests`);
  });
});
