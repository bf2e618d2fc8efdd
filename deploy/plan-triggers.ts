import type { FunctionGraph } from './api/functiongraph.ts';
import type { Gateways } from './api/gateways.ts';
import { type FunctionDescription, type Trigger, triggerLabel } from './description.ts';
import { type DeployedTrigger, eventData, isEarlierStateOf, isSameData } from './trigger-data.ts';

/** One change of the cloud. `what` describes it in a plan; `run` makes it. */
export interface Step {
  sign: '+' | '~' | '-';
  what: string;
  run(): Promise<void>;
  /** To be told once it is done. */
  note?: string;
}

export interface TriggerApis {
  api: FunctionGraph;
  gateways?: Pick<Gateways, 'domainOf'>;
}

export interface TriggerSteps {
  before: Step[];
  after: Step[];
}

/** The file can describe these kinds of trigger. Others on the function belong to somebody else. */
const OUR_TYPES = ['TIMER', 'DEDICATEDGATEWAY', 'KAFKA', 'OPENSOURCEKAFKA'];

const NETWORK_CARD =
  "The platform keeps a network card of a KAFKA trigger in the subnet for about an hour: until then the subnet can't be deleted.";

/**
 * The documented update of a trigger changes only its status, so a trigger with other changes is deleted and created
 * again. Deletions come first: an interrupted deployment then leaves a trigger missing, which the next one notices.
 */
export function planTriggers(
  apis: TriggerApis,
  urn: string,
  wanted: FunctionDescription,
  deployed: readonly DeployedTrigger[],
  secretsChanged: boolean,
): TriggerSteps {
  const steps: TriggerSteps = { before: [], after: [] };
  const left = new Set(deployed.filter(({ type }) => OUR_TYPES.includes(type)));
  const { api } = apis;
  const create = creationOf(apis, urn, wanted);
  for (const trigger of wanted.triggers) {
    const same = [...left].find(
      (candidate) => candidate.type === trigger.type && isSameData(trigger, candidate),
    );
    const earlier = same ?? [...left].find((candidate) => isEarlierStateOf(trigger, candidate));
    if (earlier) left.delete(earlier);
    const passwordChanged = secretsChanged && trigger.type === 'KAFKA' && trigger.password !== undefined;
    if (!earlier) steps.after.push(create(trigger));
    else if (!same || passwordChanged) {
      steps.before.push(deletionOf(api, urn, wanted.name, earlier, `replaced ${triggerLabel(trigger)}`));
      steps.after.push(create(trigger));
    } else if (same.status !== trigger.status) steps.after.push(statusStep(api, urn, wanted, trigger, same));
  }
  for (const gone of left) {
    steps.before.push(
      deletionOf(api, urn, wanted.name, gone, `${gone.type} trigger ${gone.eventData.name ?? ''}`.trim()),
    );
  }
  return steps;
}

export function creationOf(
  { api, gateways }: TriggerApis,
  urn: string,
  { name }: FunctionDescription,
): (trigger: Trigger) => Step {
  return (trigger) => ({
    sign: '+',
    what: `${triggerLabel(trigger)} of ${name}${trigger.status === 'DISABLED' ? ', disabled' : ''}`,
    run: async () => {
      const data = eventData(await withDomain(trigger, gateways));
      await api.createTrigger(urn, trigger.type, trigger.status, data);
    },
  });
}

/** The domain is documented as optional, but every client that is known to work sends it. */
async function withDomain(trigger: Trigger, gateways: TriggerApis['gateways']): Promise<Trigger> {
  if (trigger.type !== 'DEDICATEDGATEWAY' || trigger.domain !== undefined) return trigger;
  return { ...trigger, domain: await gateways?.domainOf(trigger.instanceId, trigger.groupId) };
}

export function deletionOf(
  api: FunctionGraph,
  urn: string,
  name: string,
  trigger: DeployedTrigger,
  label: string,
): Step {
  return {
    sign: '-',
    what: `${label} of ${name}`,
    run: () => api.deleteTrigger(urn, trigger),
    ...(trigger.type === 'KAFKA' ? { note: NETWORK_CARD } : {}),
  };
}

function statusStep(
  api: FunctionGraph,
  urn: string,
  { name }: FunctionDescription,
  trigger: Trigger,
  deployed: DeployedTrigger,
): Step {
  const verb = trigger.status === 'ACTIVE' ? 'enable' : 'disable';
  return {
    sign: '~',
    what: `${verb} ${triggerLabel(trigger)} of ${name}`,
    run: () => api.setTriggerStatus(urn, deployed, trigger.status),
  };
}
