import describeConfigs from 'kafkajs/src/protocol/requests/describeConfigs/index.js';
import { kafkajsRequest, type Request } from './request.ts';

const types = { topic: 2, broker: 4 } as const;

/**
 * Asks for settings of a topic, or of the broker that is asked, whose id is its name. The answer holds those
 * that the cluster lets this user see.
 */
export function describeConfigsRequest(
  type: keyof typeof types,
  name: string,
  configNames: readonly string[],
): Request<ReadonlyMap<string, string | null>> {
  const request = kafkajsRequest(describeConfigs, {
    resources: [{ type: types[type], name, configNames: [...configNames] }],
    includeSynonyms: false,
  });
  return {
    ...request,
    decode: async (payload, version) => {
      const { resources } = await request.decode(payload, version);
      const entries = resources.flatMap(({ configEntries }) => configEntries);
      return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
    },
  };
}
