import { accessKeyOf } from '../../../../src/object-storage/access-key.ts';
import type { StorageConfig } from '../../../../src/object-storage/config.ts';
import { Store } from '../../../../src/object-storage/store.ts';
import { fencedHandler } from '../../pull/fenced-handler.ts';
import { oldTransactionalIds } from '../../pull/old-transactional-ids.ts';
import type { PartitionHandler } from '../../pull/partition-handler.ts';
import type { PullParts, SinkParts } from '../../records/sink.ts';
import { transformRetrying } from '../../records/transform.ts';
import { S3Partition } from './s3-partition.ts';

let hasWarned = false;

/** Writes each partition's records into objects, exactly once: see `S3Partition`. */
export function s3Handler(config: StorageConfig, parts: SinkParts, pull: PullParts): PartitionHandler {
  const { connection, producer, pipeline } = parts;
  const { group, times, notes, deadLetters, origin, config: handling, reading } = pull;
  const { log, requestId, environment } = origin;
  warnOfPlaintext(config, pull);
  const store = new Store(config, accessKeyOf(config, environment), log);
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

function warnOfPlaintext({ endpoint }: StorageConfig, { origin }: PullParts): void {
  if (hasWarned || endpoint.startsWith('https:')) return;
  hasWarned = true;
  origin.log.warn('CONSUME_SINK_URL is http://: records go to the store unencrypted');
}
