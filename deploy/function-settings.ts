import * as check from '../functions/connectivity-check/config.ts';
import * as consume from '../functions/consume-batch/config.ts';
import { httpConfig } from '../functions/http/config.ts';
import * as produce from '../functions/produce/config.ts';
import { Variables } from '../src/variables.ts';
import type { FunctionDescription } from './description.ts';
import { isPlaceholder } from './read-description.ts';

type Reader = (variables: Variables) => unknown;

/** What each function of this project reads when it starts, and at its first call. */
const READERS: Readonly<Record<string, (description: FunctionDescription) => Reader[]>> = {
  produce: () => [produce.functionConfig],
  'consume-batch': ({ triggers }) => [
    consume.functionConfig,
    ...(triggers.some(({ type }) => type === 'TIMER') ? [consume.pullConfig] : []),
  ],
  'connectivity-check': () => [check.functionConfig],
  http: ({ environment }) => [
    produce.functionConfig,
    consume.functionConfig,
    check.functionConfig,
    httpConfig,
    ...(environment.CONSUME_TOPICS || environment.KAFKA_GROUP_ID ? [consume.pullConfig] : []),
  ],
};

/** What the function itself would say of its settings, at its first call: by name, without values. */
export function functionSettingProblems(description: FunctionDescription): string[] {
  const readers = READERS[description.source]?.(description);
  if (!readers) return [];
  const values = { ...description.environment, ...description.encryptedEnvironment };
  const variables = new Variables((name) => {
    // A file of the platform's machine, and not of this one.
    if (name === 'KAFKA_SSL_CA_LOCATION') return undefined;
    return values[name];
  });
  for (const read of readers) read(variables);
  // What has no value yet is reported as such.
  const unset = Object.keys(values).filter((name) => isPlaceholder(values[name] ?? ''));
  return [...new Set(variables.problems)]
    .filter((problem) => !unset.some((name) => problem.startsWith(`${name} `)))
    .map((problem) => `functions.${description.key}.environment: ${problem}.`);
}
