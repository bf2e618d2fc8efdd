import { Failure } from '../errors.ts';
import { Secret } from '../secret.ts';
import type { Environment } from '../variables.ts';
import type { StorageConfig } from './config.ts';
import type { AccessKey } from './sign.ts';

/**
 * The configured key, else the temporary one of this call: Lambda's names, under which FunctionGraph's is found as
 * well. Throws a Failure.
 */
export function accessKeyOf({ accessKey }: StorageConfig, environment: Environment): AccessKey {
  if (accessKey) return accessKey;
  const id = environment('AWS_ACCESS_KEY_ID');
  const secret = environment('AWS_SECRET_ACCESS_KEY');
  const token = environment('AWS_SESSION_TOKEN');
  if (id && secret) return { id, secret: new Secret(secret), token: token ? new Secret(token) : undefined };
  throw new Failure(
    'CONFIG_INVALID',
    'CONSUME_SINK_AWS_ACCESS_KEY_ID is not set, and the platform gave no temporary key: set it and CONSUME_SINK_AWS_SECRET_ACCESS_KEY, or give the function an agency (FunctionGraph) or a role (Lambda) that may write to the bucket',
  );
}
