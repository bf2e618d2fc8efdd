/** The documented fields of request bodies: what else comes is refused, so that a misspelt one shows. */
import { Refusal } from './refusal.ts';

export type Body = Record<string, unknown>;

type Kind = 'string' | 'integer' | 'boolean' | 'object' | 'array';

/** A field's type; with `!` it is mandatory. */
export type Fields = Readonly<Record<string, Kind | `${Kind}!`>>;

/** What both the creation and the update of a function take. */
const CONFIG: Fields = {
  func_name: 'string!',
  package: 'string',
  runtime: 'string!',
  handler: 'string!',
  memory_size: 'integer!',
  timeout: 'integer!',
  description: 'string',
  user_data: 'string',
  encrypted_user_data: 'string',
  xrole: 'string',
  app_xrole: 'string',
  initializer_handler: 'string',
  initializer_timeout: 'integer',
  pre_stop_handler: 'string',
  pre_stop_timeout: 'integer',
  func_vpc: 'object',
  log_config: 'object',
  enable_lts_log: 'boolean',
  lts_custom_tag: 'object',
  mount_config: 'object',
  custom_image: 'object',
  network_controller: 'object',
  domain_names: 'string',
  enable_dynamic_memory: 'boolean',
  is_stateful_function: 'boolean',
  gpu_memory: 'integer',
  gpu_type: 'string',
  enterprise_project_id: 'string',
  user_data_encrypt_kms_key_id: 'string',
};

export const CREATE_FUNCTION: Fields = {
  ...CONFIG,
  package: 'string!',
  type: 'string',
  code_type: 'string!',
  code_url: 'string',
  code_filename: 'string',
  code_encrypt_kms_key_id: 'string',
  func_code: 'object',
  depend_version_list: 'array',
  tags: 'string',
};
export const UPDATE_CONFIG: Fields = {
  ...CONFIG,
  strategy_config: 'object',
  peering_cidr: 'string',
  ephemeral_storage: 'integer',
  extend_config: 'string',
  enable_auth_in_header: 'boolean',
  enable_class_isolation: 'boolean',
  heartbeat_handler: 'string',
  restore_hook_handler: 'string',
  restore_hook_timeout: 'integer',
};
export const UPDATE_CODE: Fields = {
  code_type: 'string!',
  code_url: 'string',
  code_filename: 'string',
  func_code: 'object!',
  depend_version_list: 'array',
};
export const UPDATE_INSTANCES: Fields = { max_instance_num: 'integer!' };
export const ASYNC_CONFIG: Fields = {
  max_async_event_age_in_seconds: 'integer',
  max_async_retry_attempts: 'integer',
  destination_config: 'object',
  enable_async_status_log: 'boolean',
};
export const CREATE_TRIGGER: Fields = {
  trigger_type_code: 'string!',
  trigger_status: 'string',
  event_type_code: 'string',
  event_data: 'object!',
};
export const UPDATE_TRIGGER: Fields = { trigger_status: 'string', event_data: 'array' };
/** The documented list is for DIS alone; the providers' tests give a timer the whole of its data. */
export const UPDATE_TIMER: Fields = { trigger_status: 'string', event_data: 'object' };

export const EVENT_DATA: Readonly<Record<string, Fields>> = {
  TIMER: { name: 'string!', schedule_type: 'string!', schedule: 'string!', user_event: 'string' },
  DEDICATEDGATEWAY: {
    name: 'string!',
    type: 'integer!',
    instance_id: 'string!',
    group_id: 'string!',
    group_name: 'string',
    sl_domain: 'string',
    env_id: 'string!',
    env_name: 'string!',
    path: 'string!',
    match_mode: 'string!',
    req_method: 'string!',
    protocol: 'string!',
    auth: 'string!',
    backend_type: 'string!',
    func_info: 'object!',
  },
  KAFKA: {
    instance_id: 'string!',
    topic_ids: 'array!',
    batch_size: 'integer!',
    kafka_user: 'string',
    kafka_password: 'string',
    kafka_connect_address: 'string',
    kafka_ssl_enable: 'boolean',
  },
  OPENSOURCEKAFKA: {
    kafka_connect_address: 'string!',
    topic_ids: 'array!',
    batch_size: 'integer!',
  },
};

/** Refuses unknown fields, wrong types, and missing mandatory ones, as FunctionGraph does. */
export function checkFields(body: Body, fields: Fields): void {
  for (const [name, value] of Object.entries(body)) {
    const kind = fields[name]?.replace('!', '');
    if (kind === undefined) throw invalid(`the field ${name} is not documented`);
    // `func_vpc: null` takes the function out of its VPC.
    if (value === null && kind === 'object') continue;
    if (kindOf(value) !== kind) throw invalid(`the field ${name} must be ${kind}, not ${kindOf(value)}`);
  }
  for (const [name, kind] of Object.entries(fields)) {
    if (kind.endsWith('!') && body[name] === undefined) throw invalid(`the field ${name} is missing`);
  }
}

export function checkVariables(name: string, text: unknown): Record<string, string> {
  const variables = JSON.parse(String(text ?? '{}')) as Record<string, string>;
  const entries = Object.entries(variables);
  const characters = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (entries.length > 20 || characters > 4_096) throw invalid(`${name} exceeds the limit`);
  if (entries.some(([, value]) => typeof value !== 'string')) throw invalid(`${name} must hold strings`);
  return variables;
}

export function invalid(message: string): Refusal {
  return new Refusal(400, 'FSS.0400', message);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (Number.isInteger(value)) return 'integer';
  return value === null ? 'null' : typeof value;
}
