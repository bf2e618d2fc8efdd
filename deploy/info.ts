import type { DeployedFunction } from './api/deployed-function.ts';
import type { AsyncConfig, FunctionGraph } from './api/functiongraph.ts';
import { text } from './api/records.ts';
import type { Deployment } from './description.ts';
import { withoutMark } from './ownership.ts';
import type { DeployedTrigger } from './trigger-data.ts';

/** The deployed functions and their triggers, as text for a person. */
export async function describeDeployed(api: FunctionGraph, { functions }: Deployment): Promise<string> {
  const blocks = await Promise.all(
    functions.map(async ({ app, name, key }) => {
      const urn = api.urn(app, name);
      const deployed = await api.getFunction(urn);
      if (!deployed) return `${key}: not deployed`;
      return describe(key, deployed, await api.listTriggers(urn), await api.asyncConfig(urn));
    }),
  );
  return blocks.join('\n\n');
}

function describe(
  key: string,
  deployed: DeployedFunction,
  triggers: readonly DeployedTrigger[],
  asyncConfig: AsyncConfig | undefined,
): string {
  const { name, runtime, memorySize, timeout, codeSize, lastModified, lastError, environment } = deployed;
  const lines = [
    `${key}: ${withoutMark(deployed.description) || name}`,
    `  urn        ${deployed.urn}`,
    `  runs on    ${runtime}, ${memorySize} MB, ${timeout} s, ${Math.ceil(codeSize / 1_000)} kB of code`,
    `  changed    ${lastModified ?? 'unknown'}`,
    ...(lastError === undefined ? [] : [`  last error ${lastError}`]),
    ...(asyncConfig?.onFailure
      ? [
          `  on failure ${asyncConfig.onFailure.destination} ${asyncConfig.onFailure.param}, ${asyncConfig.retries} retries`,
        ]
      : []),
    `  variables  ${Object.keys(environment).sort().join(', ') || 'none'}`,
    ...triggers.map(
      (trigger) =>
        `  ${trigger.status === 'ACTIVE' ? 'called by ' : 'disabled  '} ${describeTrigger(trigger)}`,
    ),
  ];
  return lines.join('\n');
}

function describeTrigger({ type, eventData: data }: DeployedTrigger): string {
  switch (type) {
    case 'DEDICATEDGATEWAY':
      return `${gatewayUrl(data)} (${data.req_method}, ${data.auth})`;
    case 'TIMER':
      return `the timer ${data.name}, ${data.schedule}`;
    case 'KAFKA':
    case 'OPENSOURCEKAFKA':
      return `Kafka, ${[data.topic_ids].flat().join(', ')}`;
    default:
      return type;
  }
}

/** The platform shows the whole URL, or only the API group's domain and the path. */
function gatewayUrl(data: Readonly<Record<string, unknown>>): string {
  return (
    text(data.invoke_url) ?? `https://${text(data.sl_domain) ?? '<group domain>'}${text(data.path) ?? '/'}`
  );
}
