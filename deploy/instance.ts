/** `npm run instance -- <id>`: says what a client must know of a DMS instance; --env writes it as variables. */
import { existsSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { KafkaInstances } from './api/kafka-instances.ts';
import { regions } from './api/regions.ts';
import { connectCloud } from './cloud.ts';
import {
  type AccessMode,
  accessModes,
  instanceReport,
  instanceVariables,
  nearestMode,
} from './instance-report.ts';

/** `--env -`: on the screen. */
const SCREEN = '-';
const USAGE = `npm run instance -- <instance id> [--env .env] [--access ${accessModes.join('|')}] [--region <region>]`;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { env: { type: 'string' }, access: { type: 'string' }, region: { type: 'string' } },
  });
  const [id] = positionals;
  if (id === undefined || positionals.length > 1) throw new Error(`Usage: ${USAGE}`);
  const { env: file } = values;
  if (file !== undefined && file !== SCREEN && existsSync(file)) throw new Error(taken(file));
  // As osls does: variables of the environment win.
  if (existsSync('.env')) process.loadEnvFile('.env');
  const region = values.region ?? process.env.OS_REGION_NAME ?? 'eu-de';
  if (!regions.includes(region))
    throw new Error(`The region "${region}" is not known; it is one of ${regions.join(', ')}.`);
  const cloud = await connectCloud(region, undefined);
  const instance = await new KafkaInstances(cloud.clientOptions('dms')).get(id);
  const mode = accessMode(values.access) ?? nearestMode(instance);
  if (file === undefined) console.log(instanceReport(instance));
  else write(file, instanceVariables(instance, region, mode));
} catch (error) {
  const isUsage =
    error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  console.error(error instanceof Error ? error.message : String(error));
  if (isUsage) console.error(`Usage: ${USAGE}`);
  process.exitCode = 1;
}

/** Never overwrites a file. Only its owner may read it, because the user adds the password. */
function write(file: string, variables: string): void {
  if (file === SCREEN) {
    console.log(variables);
    return;
  }
  writeFileSync(file, `${variables}\n`, { flag: 'wx', mode: 0o600 });
  const open = variables.match(/^# [A-Z_]+=$/gm) ?? [];
  const rest = open.length === 0 ? '' : ` To fill in: ${open.map((line) => line.slice(2, -1)).join(', ')}.`;
  console.log(`${file} is written.${rest}`);
}

function taken(file: string): string {
  return `${file} is there already, and stays as it is: name another file, or ${SCREEN} for the screen.`;
}

function accessMode(value: string | undefined): AccessMode | undefined {
  const found = accessModes.find((mode) => mode === value);
  if (value === undefined || found) return found;
  throw new Error(`--access ${value} must be one of ${accessModes.join(', ')}.`);
}
