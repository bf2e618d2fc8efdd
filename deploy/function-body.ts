import type { DeployedFunction } from './api/functiongraph.ts';
import type { JsonObject } from './api/records.ts';
import type { FunctionDescription } from './description.ts';

/** What a function has until it is told otherwise. */
const DEFAULT_INSTANCES = 400;

/** The documented body of both the creation and the update of a configuration. */
export function configBody(wanted: FunctionDescription, description: string): JsonObject {
  const { logs, vpc } = wanted;
  const body: JsonObject = {
    func_name: wanted.name,
    package: wanted.app,
    runtime: wanted.runtime,
    handler: wanted.handler,
    memory_size: wanted.memorySize,
    timeout: wanted.timeout,
    description,
    user_data: JSON.stringify(wanted.environment),
    encrypted_user_data: JSON.stringify(wanted.encryptedEnvironment),
    xrole: wanted.agency ?? '',
    initializer_handler: wanted.initializer ?? '',
  };
  if (wanted.initializer) body.initializer_timeout = wanted.initializerTimeout;
  if (vpc) body.func_vpc = { vpc_id: vpc.id, subnet_id: vpc.subnetId };
  if (logs) {
    body.log_config = {
      group_id: logs.groupId,
      group_name: logs.groupName,
      stream_id: logs.streamId,
      stream_name: logs.streamName,
    };
  }
  return body;
}

/**
 * Instances and concurrency go together: of one that is left out nobody says what becomes of it, and no
 * instances means that the function is switched off. What the file doesn't say stays as it is.
 */
export function strategy(
  { maxInstances, concurrency }: FunctionDescription,
  deployed?: DeployedFunction,
): JsonObject {
  return {
    strategy_config: {
      concurrency: maxInstances ?? deployed?.maxInstances ?? DEFAULT_INSTANCES,
      concurrent_num: concurrency ?? deployed?.concurrency ?? 1,
    },
  };
}

/** The documented body of an upload. */
export function codeBody(zip: Buffer): JsonObject {
  return { code_type: 'zip', code_filename: 'index.zip', func_code: { file: zip.toString('base64') } };
}
