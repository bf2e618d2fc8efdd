import type { Deployment, FunctionDescription, Trigger } from './description.ts';
import type { DeployedTrigger } from './trigger-data.ts';

/** What a deployed function reads and serves. */
export interface Standing {
  environment: Readonly<Record<string, string>>;
  triggers: readonly DeployedTrigger[];
}

const FIRST_STAGE = 'dev';

/**
 * Gives a stage its own consumer group and paths where the file leaves them open: two stages with one group would share
 * its records, and two with one path its gateway. Deployed functions (`standing`, by key) keep what they have.
 */
export function withStage(deployment: Deployment, standing: ReadonlyMap<string, Standing>): Deployment {
  const { functions } = deployment;
  const own = `${deployment.service}${isFirst(deployment) ? '' : `-${deployment.stage}`}`;
  const said = functions.map(({ environment }) => environment.KAFKA_GROUP_ID).find(Boolean);
  const stood = functions.map(({ key }) => standing.get(key)?.environment.KAFKA_GROUP_ID).find(Boolean);
  const group = said ?? stood ?? own;
  return {
    ...deployment,
    functions: functions.map((description) => {
      const stands = standing.get(description.key);
      const groups = {
        KAFKA_GROUP_ID: stands?.environment.KAFKA_GROUP_ID || group,
        // The check follows the group that the file names.
        CHECK_GROUP_ID: said ?? (stands?.environment.CHECK_GROUP_ID || group),
      };
      const triggers = description.triggers.map((trigger) => withBase(deployment, trigger, stands));
      return { ...description, environment: withGroups(description.environment, groups), triggers };
    }),
  };
}

/** Fills in the groups that the file has but leaves empty. */
function withGroups(
  environment: FunctionDescription['environment'],
  groups: Readonly<Record<string, string>>,
): FunctionDescription['environment'] {
  const open = Object.entries(groups).filter(([name]) => environment[name] === '');
  return { ...environment, ...Object.fromEntries(open) };
}

function withBase(deployment: Deployment, trigger: Trigger, stands: Standing | undefined): Trigger {
  if (trigger.type !== 'DEDICATEDGATEWAY') return trigger;
  const base = deployment.basePath ?? (isFirst(deployment) ? '' : `/${deployment.stage}`);
  const isAsItWas = stands?.triggers.some(
    ({ type, eventData: { name, path } }) =>
      type === trigger.type && name === trigger.name && path === trigger.path,
  );
  if (deployment.basePath === undefined && isAsItWas) return trigger;
  return { ...trigger, path: joined(base, trigger.path) };
}

function joined(base: string, path: string): string {
  const stem = base.replace(/\/$/, '');
  return stem !== '' && path === '/' ? stem : `${stem}${path}`;
}

function isFirst({ stage }: Deployment): boolean {
  return stage === FIRST_STAGE;
}

/**
 * Why a pull must not change its group unasked: offsets belong to the group. Undefined if the group stays the same, or
 * there was none.
 */
export function groupMove(
  wanted: FunctionDescription,
  deployed: Standing['environment'],
): string | undefined {
  const { KAFKA_GROUP_ID: before } = deployed;
  const {
    KAFKA_GROUP_ID: after,
    CONSUME_TOPICS: topics,
    KAFKA_AUTO_OFFSET_RESET: reset,
  } = wanted.environment;
  if (!before || !after || before === after) return undefined;
  const records = `the records of ${topics || 'its topics'}`;
  const consequence =
    reset === 'latest'
      ? `${records} that came since the last pull are skipped (KAFKA_AUTO_OFFSET_RESET=latest)`
      : reset === 'none'
        ? 'every pull fails until it has offsets (KAFKA_AUTO_OFFSET_RESET=none)'
        : `${records} that Kafka still keeps are all handled again (KAFKA_AUTO_OFFSET_RESET=earliest)`;
  return `${wanted.name} reads as the consumer group "${before}", and offsets belong to a group: as "${after}", unless that has offsets, ${consequence}. Set KAFKA_GROUP_ID=${before} to stay, or deploy with --move-group.`;
}
