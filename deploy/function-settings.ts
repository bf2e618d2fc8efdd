import { readersOf } from '../build/function-readers.ts';
import { settingsFor } from '../src/settings-files.ts';
import { Variables } from '../src/variables.ts';
import type { FunctionDescription } from './description.ts';
import { isPlaceholder } from './read-description.ts';

/** What the function itself would say of its settings, at its first call: by name, without values. */
export function functionSettingProblems(description: FunctionDescription): string[] {
  const values = { ...description.environment, ...description.encryptedEnvironment };
  const settings = settingsFor(description.source);
  const variables = new Variables((name) => {
    // The file lies on the platform's machine, not on this one.
    if (name === 'KAFKA_SSL_CA_LOCATION') return undefined;
    return values[name] ?? settings[name];
  });
  for (const read of readersOf(description.source, { pulls: doesPull(description) })) read(variables);
  // A variable without a value is reported as such, not as wrong.
  const unset = Object.keys(values).filter((name) => isPlaceholder(values[name] ?? ''));
  return [...new Set(variables.problems)]
    .filter((problem) => !unset.some((name) => problem.startsWith(`${name} `)))
    .map((problem) => `functions.${description.key}.environment: ${problem}.`);
}

function doesPull({ source, environment, triggers }: FunctionDescription): boolean {
  return source === 'http'
    ? Boolean(environment.CONSUME_TOPICS || environment.KAFKA_GROUP_ID)
    : triggers.some(({ type }) => type === 'TIMER');
}
