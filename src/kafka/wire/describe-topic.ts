import describeConfigs from 'kafkajs/src/protocol/requests/describeConfigs/index.js';
import { kafkajsRequest, type Request } from './request.ts';

const TOPIC = 2;

/** Asks for settings of a topic; the answer holds those that the cluster lets this user see. */
export function describeTopicRequest(
  topic: string,
  configNames: readonly string[],
): Request<ReadonlyMap<string, string | null>> {
  const request = kafkajsRequest(describeConfigs, {
    resources: [{ type: TOPIC, name: topic, configNames: [...configNames] }],
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
