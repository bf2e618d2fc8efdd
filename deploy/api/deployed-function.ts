import { type JsonObject, list, number, object, text, variables } from './records.ts';

/** A function as the platform shows it. */
export interface DeployedFunction {
  /** Without its version. */
  urn: string;
  name: string;
  description: string;
  runtime: string;
  handler: string;
  initializer: string | undefined;
  initializerTimeout: number | undefined;
  memorySize: number;
  timeout: number;
  agency: string | undefined;
  vpcId: string | undefined;
  subnetId: string | undefined;
  logStreamId: string | undefined;
  /** Whether its log is kept; undefined if the platform doesn't say. */
  logsEnabled: boolean | undefined;
  maxInstances: number | undefined;
  concurrency: number | undefined;
  environment: Record<string, string>;
  /** The names of its encrypted variables; undefined if the platform doesn't say. */
  secretNames: string[] | undefined;
  /** Settings that the file can't describe. An update must repeat them, else they are lost. */
  otherSettings: JsonObject;
  /** Why its last start or change failed. */
  lastError: string | undefined;
  /** SHA-512 of the zip, hexadecimal. */
  digest: string;
  codeSize: number;
  lastModified: string | undefined;
}

/** An update of a configuration resets these, even if it doesn't name them. */
const OTHER_SETTINGS = [
  'app_xrole',
  'mount_config',
  'domain_names',
  'network_controller',
  'peering_cidr',
  'ephemeral_storage',
  'enable_dynamic_memory',
  'lts_custom_tag',
  'pre_stop_handler',
  'pre_stop_timeout',
];
/** The default (MB). It is not repeated, because not every region may offer the setting. */
const DEFAULT_EPHEMERAL_STORAGE = 512;

export function deployedFunction(urn: string, body: JsonObject): DeployedFunction {
  const vpc = object(body.func_vpc);
  const strategy = object(body.strategy_config);
  return {
    urn,
    name: text(body.func_name) ?? '',
    description: text(body.description) ?? '',
    runtime: text(body.runtime) ?? '',
    handler: text(body.handler) ?? '',
    initializer: text(body.initializer_handler),
    initializerTimeout: number(body.initializer_timeout),
    memorySize: number(body.memory_size) ?? 0,
    timeout: number(body.timeout) ?? 0,
    agency: text(body.xrole),
    vpcId: text(vpc.vpc_id),
    subnetId: text(vpc.subnet_id),
    logStreamId: text(body.log_stream_id),
    logsEnabled: typeof body.enable_lts_log === 'boolean' ? body.enable_lts_log : undefined,
    maxInstances: number(strategy.concurrency),
    concurrency: number(strategy.concurrent_num),
    environment: variables(body.user_data),
    secretNames: text(body.encrypted_user_data)?.startsWith('{')
      ? Object.keys(variables(body.encrypted_user_data))
      : undefined,
    otherSettings: otherSettings(body),
    lastError: text(body.last_error),
    digest: text(body.digest) ?? '',
    codeSize: number(body.code_size) ?? 0,
    lastModified: text(body.last_modified),
  };
}

function otherSettings(body: JsonObject): JsonObject {
  const hasMounts = list(object(body.mount_config).func_mounts).length > 0;
  const isDefault = (name: string): boolean =>
    name === 'mount_config' ? !hasMounts : body[name] === DEFAULT_EPHEMERAL_STORAGE;
  const present = OTHER_SETTINGS.filter((name) => isSet(body[name]) && !isDefault(name));
  return Object.fromEntries(present.map((name) => [name, body[name]]));
}

/** The platform shows an unset value as nothing, or as an empty object. */
function isSet(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.values(value).some(isSet) : Boolean(value);
}
