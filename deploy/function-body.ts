import type { DeployedFunction } from './api/deployed-function.ts';
import type { JsonObject } from './api/records.ts';
import type { FunctionDescription } from './description.ts';

/** The platform's default. */
const DEFAULT_INSTANCES = 400;

/**
 * The documented body of a creation. A creation refuses empty settings and may lose others, above all encrypted
 * variables, so an update has to follow it.
 */
export function creationBody(wanted: FunctionDescription, description: string, zip: Buffer): JsonObject {
  const { encrypted_user_data: _later, ...config } = configBody(wanted, description);
  return {
    ...withoutEmpty(config),
    package: wanted.app,
    type: 'v2',
    ...codeBody(zip),
  };
}

/** The documented body of an update. It repeats what the file can't describe, because an update removes what it leaves out. */
export function updateBody(
  wanted: FunctionDescription,
  description: string,
  deployed?: DeployedFunction,
): JsonObject {
  return {
    ...deployed?.otherSettings,
    ...withoutEmpty(configBody(wanted, description), deployed),
    strategy_config: strategy(wanted, deployed),
  };
}

/** An empty setting is sent only to remove a present value; otherwise the API is not documented to accept it. */
function withoutEmpty(config: JsonObject, deployed?: DeployedFunction): JsonObject {
  const standing: Readonly<Record<string, unknown>> = {
    xrole: deployed?.agency,
    initializer_handler: deployed?.initializer,
    func_vpc: deployed?.vpcId,
    encrypted_user_data: deployed?.secretNames?.length,
  };
  const sent = Object.entries(config).filter(
    ([name, value]) => !['', '{}', null].includes(value as string) || name === 'user_data' || standing[name],
  );
  return Object.fromEntries(sent);
}

/** The documented body of an upload. */
export function codeBody(zip: Buffer): JsonObject {
  return { code_type: 'zip', code_filename: 'index.zip', func_code: { file: zip.toString('base64') } };
}

function configBody(wanted: FunctionDescription, description: string): JsonObject {
  const { logs, vpc } = wanted;
  const body: JsonObject = {
    func_name: wanted.name,
    runtime: wanted.runtime,
    handler: wanted.handler,
    memory_size: wanted.memorySize,
    timeout: wanted.timeout,
    description,
    user_data: JSON.stringify(wanted.environment),
    encrypted_user_data: JSON.stringify(wanted.encryptedEnvironment),
    xrole: wanted.agency ?? '',
    initializer_handler: wanted.initializer ?? '',
    // Null takes the function out of its VPC.
    func_vpc: vpc ? { vpc_id: vpc.id, subnet_id: vpc.subnetId } : null,
  };
  if (wanted.initializer) body.initializer_timeout = wanted.initializerTimeout;
  if (logs) {
    // Without the switch the stream stays empty. If logs are left out, the platform's setting stays.
    body.enable_lts_log = true;
    body.log_config = {
      group_id: logs.groupId,
      group_name: logs.groupName,
      stream_id: logs.streamId,
      stream_name: logs.streamName,
    };
  }
  return body;
}

/** Both or neither: for a missing half the platform sets no instances, which switches the function off. */
function strategy(
  { maxInstances, concurrency }: FunctionDescription,
  deployed?: DeployedFunction,
): JsonObject {
  return {
    concurrency: maxInstances ?? deployed?.maxInstances ?? DEFAULT_INSTANCES,
    concurrent_num: concurrency ?? deployed?.concurrency ?? 1,
  };
}
