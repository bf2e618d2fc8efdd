/** The variables of each function of `serverless.yml` on this machine: the file's values, with the local Kafka. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import type { FunctionDescription } from '../deploy/description.ts';
import { isPlaceholder } from '../deploy/read-description.ts';
import type { Environment } from '../src/variables.ts';

/** The cluster's addresses, and the login. */
const OF_CLUSTER = /^KAFKA_(BOOTSTRAP_SERVERS$|S)/;
/** A variable of the functions (docs/configuration.md). */
const OF_FUNCTIONS =
  /^(KAFKA_(?!FUNCTIONS_)|(PRODUCE|CONSUME|CHECK|WEBHOOK|CLOUDEVENTS)_)|^(HTTP_API_KEYS|LOG_LEVEL)$/;
const CREDENTIAL = /PASSWORD|SECRET|SINK_HEADERS|API_KEYS|KEYSTORE_KEY/;

export type Values = Readonly<Record<string, string>>;

/**
 * This shell's variables, then those of `.env`, which osls reads. Variables that lead to a cluster are left out of
 * `.env`: it names the deployment's cluster, and a laptop must not pull from there by accident.
 */
export function startEnvironment(root: string): Environment {
  const file = ['.env.dev', '.env'].map((name) => join(root, name)).find((path) => existsSync(path));
  const values = file === undefined ? {} : parseEnv(readFileSync(file, 'utf8'));
  const isLocal = (name: string) => !OF_CLUSTER.test(name) && name !== 'KAFKA_GROUP_ID';
  return (name) => process.env[name] ?? (isLocal(name) ? values[name] : undefined);
}

/**
 * The file's variables for this function; `embedded` replaces those of the cluster. Variables of this shell that the
 * file neither asks for nor sets are added.
 */
export function functionVariables(
  { environment, encryptedEnvironment }: FunctionDescription,
  asked: ReadonlySet<string>,
  embedded: Values | undefined,
): Values {
  const said = Object.entries({ ...environment, ...encryptedEnvironment }).filter(
    ([, value]) => !isPlaceholder(value),
  );
  const shell = shellVariables(asked).filter(
    ([name]) => OF_CLUSTER.test(name) || !said.some(([known]) => known === name),
  );
  const all = [...said, ...shell];
  if (!embedded) return Object.fromEntries(all);
  return { ...Object.fromEntries(all.filter(([name]) => !OF_CLUSTER.test(name))), ...embedded };
}

/** Names of this shell's variables that the functions get here, but not in a deployment. */
export function shellOnly(asked: ReadonlySet<string>): string[] {
  return shellVariables(asked)
    .map(([name]) => name)
    .filter((name) => !OF_CLUSTER.test(name));
}

function shellVariables(asked: ReadonlySet<string>): [string, string][] {
  return Object.entries(process.env).flatMap(([name, value]): [string, string][] =>
    value !== undefined && OF_FUNCTIONS.test(name) && !asked.has(name) ? [[name, value]] : [],
  );
}

/** Plain and encrypted variables, as the platform separates them. */
export function withoutCredentials(
  { encryptedEnvironment }: FunctionDescription,
  variables: Values,
): { userData: Record<string, string>; encryptedUserData: Record<string, string> } {
  const isCredential = ([name]: [string, string]) => name in encryptedEnvironment || CREDENTIAL.test(name);
  const entries = Object.entries(variables);
  return {
    userData: Object.fromEntries(entries.filter((entry) => !isCredential(entry))),
    encryptedUserData: Object.fromEntries(entries.filter(isCredential)),
  };
}
