/**
 * The arguments of `opentelekomcloud_fgs_function_v2` and `opentelekomcloud_fgs_trigger_v2`, as the provider
 * documents and declares them (1.36.51), as far as a description can set them.
 */
export type Argument = 'string' | 'number' | 'object';

export interface ResourceSchema {
  arguments: Readonly<Record<string, Argument>>;
  required: readonly string[];
  /** Arguments that may only stand together. */
  together: readonly (readonly string[])[];
}

export const FUNCTION: ResourceSchema = {
  arguments: {
    name: 'string',
    app: 'string',
    agency: 'string',
    app_agency: 'string',
    description: 'string',
    functiongraph_version: 'string',
    runtime: 'string',
    handler: 'string',
    memory_size: 'number',
    timeout: 'number',
    user_data: 'string',
    encrypted_user_data: 'string',
    code_type: 'string',
    code_url: 'string',
    code_filename: 'string',
    func_code: 'string',
    initializer_handler: 'string',
    initializer_timeout: 'number',
    vpc_id: 'string',
    network_id: 'string',
    max_instance_num: 'string',
    log_group_id: 'string',
    log_group_name: 'string',
    log_topic_id: 'string',
    log_topic_name: 'string',
    lifecycle: 'object',
  },
  required: ['name', 'app', 'memory_size', 'runtime', 'timeout', 'handler', 'code_type', 'func_code'],
  together: [
    ['vpc_id', 'network_id'],
    ['log_group_id', 'log_group_name', 'log_topic_id', 'log_topic_name'],
  ],
};

export const TRIGGER: ResourceSchema = {
  arguments: {
    function_urn: 'string',
    type: 'string',
    event_data: 'string',
    status: 'string',
    lifecycle: 'object',
  },
  required: ['function_urn', 'type', 'event_data'],
  together: [],
};

/** What is wrong with a resource, by argument. */
export function faultsOf(resource: Readonly<Record<string, unknown>>, schema: ResourceSchema): string[] {
  const names = Object.keys(resource);
  const unknown = names.filter((name) => typeof resource[name] !== schema.arguments[name]);
  const missing = schema.required.filter((name) => resource[name] === undefined);
  const parted = schema.together.filter((group) => {
    const present = group.filter((name) => names.includes(name)).length;
    return present > 0 && present < group.length;
  });
  return [...unknown, ...missing, ...parted.map((group) => group.join('+'))];
}
