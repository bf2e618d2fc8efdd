import { Failure } from '../../../../src/errors.ts';
import { Secret } from '../../../../src/secret.ts';
import type { Environment } from '../../../../src/variables.ts';
import { fencedHandler } from '../../pull/fenced-handler.ts';
import { oldTransactionalIds } from '../../pull/old-transactional-ids.ts';
import type { PartitionHandler } from '../../pull/partition-handler.ts';
import type { PullParts, SinkParts } from '../../records/sink.ts';
import { transformRetrying } from '../../records/transform.ts';
import type { S3SinkConfig } from './s3.ts';
import { S3Partition } from './s3-partition.ts';
import type { AccessKey } from './sign.ts';
import { Store } from './store.ts';

let hasWarned = false;

/** Writes each partition's records into objects, exactly once: see `S3Partition`. */
export function s3Handler(config: S3SinkConfig, parts: SinkParts, pull: PullParts): PartitionHandler {
  const { connection, producer, pipeline } = parts;
  const { group, times, notes, deadLetters, origin, config: handling, reading } = pull;
  const { log, requestId, environment } = origin;
  warnOfPlaintext(config, pull);
  const store = new Store(config, config.accessKey ?? platformsKey(environment), log);
  const { transformRecord } = pipeline;
  const call = { ...times, ...handling, origin };
  const options = {
    ...{ config, store, connection, group, times, notes, log, reading },
    compression: producer.compression,
    oldIds: oldTransactionalIds({ connection, group, log }),
    deadLetter: (dead: Parameters<typeof deadLetters.letter>[0]) => deadLetters.letter(dead, requestId),
    transform: transformRecord
      ? (records: Parameters<typeof transformRetrying>[0]) =>
          transformRetrying(records, transformRecord, parts, call)
      : undefined,
    memory: { heldBytes: 0 },
  };
  return {
    ...fencedHandler((at) => new S3Partition(at, options)),
    finish: async () => store.close(),
  };
}

/** The temporary key of this call: Lambda's names, under which FunctionGraph's is found as well. Throws a Failure. */
function platformsKey(environment: Environment): AccessKey {
  const id = environment('AWS_ACCESS_KEY_ID');
  const secret = environment('AWS_SECRET_ACCESS_KEY');
  const token = environment('AWS_SESSION_TOKEN');
  if (id && secret) return { id, secret: new Secret(secret), token: token ? new Secret(token) : undefined };
  throw new Failure(
    'CONFIG_INVALID',
    'CONSUME_SINK_AWS_ACCESS_KEY_ID is not set, and the platform gave no temporary key: set it and CONSUME_SINK_AWS_SECRET_ACCESS_KEY, or give the function an agency (FunctionGraph) or a role (Lambda) that may write to the bucket',
  );
}

function warnOfPlaintext({ endpoint }: S3SinkConfig, { origin }: PullParts): void {
  if (hasWarned || endpoint.startsWith('https:')) return;
  hasWarned = true;
  origin.log.warn('CONSUME_SINK_URL is http://: records go to the store unencrypted');
}
