/** `npm run instance -- <id>`: what a client must know of a DMS instance, and with --env as variables. */
import { existsSync } from 'node:fs';
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

const USAGE = `npm run instance -- <instance id> [--env] [--access ${accessModes.join('|')}] [--region <region>]`;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { env: { type: 'boolean' }, access: { type: 'string' }, region: { type: 'string' } },
  });
  const [id] = positionals;
  if (id === undefined || positionals.length > 1) throw new Error(`Usage: ${USAGE}`);
  // As osls does: what is in the environment already wins.
  if (existsSync('.env')) process.loadEnvFile('.env');
  const region = values.region ?? process.env.OS_REGION_NAME ?? 'eu-de';
  if (!regions.includes(region))
    throw new Error(`The region "${region}" is not known; it is one of ${regions.join(', ')}.`);
  const cloud = await connectCloud(region, undefined);
  const instance = await new KafkaInstances(cloud.clientOptions('dms')).get(id);
  const mode = accessMode(values.access) ?? nearestMode(instance);
  console.log(values.env ? instanceVariables(instance, region, mode) : instanceReport(instance));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

function accessMode(value: string | undefined): AccessMode | undefined {
  const found = accessModes.find((mode) => mode === value);
  if (value === undefined || found) return found;
  throw new Error(`--access ${value} must be one of ${accessModes.join(', ')}.`);
}
