import { ApiError } from './api/client.ts';
import type { FunctionGraph } from './api/functiongraph.ts';
import type { InstanceNetwork, KafkaInstances } from './api/kafka-instances.ts';
import type { Deployment, FunctionDescription } from './description.ts';
import type { Findings } from './validate.ts';

/** Checks that need the cloud, before anything is built: its runtimes, and the subnets of triggers' instances. */
export async function cloudFindings(
  { region, functions }: Deployment,
  api: FunctionGraph,
  instances: KafkaInstances,
): Promise<Findings> {
  const problems = await runtimeProblems(region, functions, api);
  const warnings: string[] = [];
  for (const description of functions) {
    for (const trigger of description.triggers) {
      if (trigger.type !== 'KAFKA') continue;
      const at = `functions.${description.key}: the Kafka trigger's instance ${trigger.instanceId}`;
      try {
        problems.push(...networkProblems(at, description, await instances.network(trigger.instanceId)));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status === 404) problems.push(`${at} does not exist in ${region}.`);
        else warnings.push(`${at} could not be looked at: ${error.message}`);
      }
    }
  }
  return { problems, warnings };
}

async function runtimeProblems(
  region: string,
  functions: readonly FunctionDescription[],
  api: FunctionGraph,
): Promise<string[]> {
  const runtimes = await api.listRuntimes();
  if (!runtimes) return [];
  return functions
    .filter(({ runtime }) => runtime !== 'http' && !runtimes.includes(runtime))
    .map(
      ({ key, runtime }) => `functions.${key}.runtime is "${runtime}"; ${region} has ${runtimes.join(', ')}.`,
    );
}

/** Over peering or a VPC endpoint a function reaches the instance, but its trigger does not. */
function networkProblems(at: string, { vpc }: FunctionDescription, instance: InstanceNetwork): string[] {
  if (!vpc || (vpc.id === instance.vpcId && vpc.subnetId === instance.subnetId)) return [];
  return [
    `${at} is in subnet ${instance.subnetId} of VPC ${instance.vpcId}, and the function in ${vpc.subnetId} of ${vpc.id}: FunctionGraph's Kafka trigger needs the same subnet. Use the timer's pull, or give the function the instance's vpc.`,
  ];
}
