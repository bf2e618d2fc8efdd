import * as check from '../functions/connectivity-check/config.ts';
import * as consume from '../functions/consume-batch/config.ts';
import { functionNames, httpConfig } from '../functions/http/config.ts';
import * as produce from '../functions/produce/config.ts';
import type { Variables } from '../src/variables.ts';

/** The project's own functions. */
export const ownFunctions: readonly string[] = [...functionNames, 'http'];

type Reader = (variables: Variables) => unknown;

/** What a function reads when it starts and, where it `pulls`, at a pull. Nobody knows what the user's own ones read. */
export function readersOf(source: string, { pulls }: { pulls: boolean }): Reader[] {
  const pull = pulls ? [consume.pullConfig] : [];
  switch (source) {
    case 'produce':
      return [produce.functionConfig];
    case 'consume-batch':
      return [consume.functionConfig, ...pull];
    case 'connectivity-check':
      return [check.functionConfig];
    case 'http':
      return [produce.functionConfig, consume.functionConfig, check.functionConfig, ...pull, httpConfig];
    default:
      return [];
  }
}
