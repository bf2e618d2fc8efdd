import * as check from '../functions/connectivity-check/config.ts';
import * as consume from '../functions/consume-batch/config.ts';
import { sinkNames } from '../functions/consume-batch/sinks/open-sink.ts';
import { httpConfig } from '../functions/http/config.ts';
import * as produce from '../functions/produce/config.ts';
import { Variables } from '../src/variables.ts';

/** Variables that make the readers ask for others. */
const settings: Record<string, string>[] = [
  ...sinkNames.map((name) => ({ CONSUME_SINK: name })),
  { WEBHOOK_SECRET: 'a-secret' },
];

/** The names of all variables that the functions' readers ask for. */
export function variablesAsked(): string[] {
  const asked = new Set<string>();
  for (const setting of settings) {
    const variables = new Variables((name) => {
      asked.add(name);
      return setting[name];
    });
    for (const { functionConfig } of [produce, consume, check]) functionConfig(variables);
    consume.pullConfig(variables);
    httpConfig(variables);
  }
  return [...asked].sort();
}
