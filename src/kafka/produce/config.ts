import type { Meanings, Variables } from '../../variables.ts';

const MIB = 1024 * 1024;

export const meanings = {
  KAFKA_ACKS: {
    meaning: 'whose acknowledgement counts: all in-sync replicas (`-1` is the same), the leader, nobody',
  },
  KAFKA_ENABLE_IDEMPOTENCE: {
    unset: '`true` with acks `all`, else `false`',
    meaning:
      'a retry is written once. Where the cluster refuses it, the default goes on without and logs why; an explicit `true` fails as `CONFIG_INVALID`, with other acks too',
  },
  KAFKA_COMPRESSION_TYPE: {
    meaning:
      "for publishing, the topic sink and dead letters; a topic's `max.message.bytes` counts what is compressed",
  },
  KAFKA_LINGER_MS: { meaning: 'how long a batch waits for records of other requests to the same instance' },
  KAFKA_BATCH_SIZE: { meaning: 'bytes of a batch, beyond which the next one begins' },
  KAFKA_MAX_REQUEST_SIZE: {
    meaning:
      "bytes of a request to a broker, counted uncompressed, as Java's producer does; consume-batch takes 16 MiB at the least",
  },
  PRODUCE_MAX_QUEUE_BYTES: {
    meaning:
      'bytes of the records that wait in one instance; beyond it, for requests above 64 KiB beyond 7/8 of it, 429',
  },
} as const satisfies Meanings;

/** The codecs that publishing may use. */
export const compressionTypes = ['none', 'gzip', 'lz4'] as const;

export type Acks = 'all' | '1' | '0';

export interface ProducerConfig {
  acks: Acks;
  /** `preferred` falls back where the cluster refuses idempotence; `required` does not. */
  idempotence: 'preferred' | 'required' | 'off';
  compression: (typeof compressionTypes)[number];
  lingerMs: number;
  batchSize: number;
  maxRequestSize: number;
  maxQueueBytes: number;
}

export function producerConfig(variables: Variables): ProducerConfig {
  const acks = variables.oneOf('KAFKA_ACKS', ['all', '-1', '1', '0'], 'all');
  const wanted = variables.flag('KAFKA_ENABLE_IDEMPOTENCE');
  const acksAll = acks === 'all' || acks === '-1';
  if (wanted === true && !acksAll) {
    variables.reject('KAFKA_ENABLE_IDEMPOTENCE', 'true needs KAFKA_ACKS=all');
  }
  return {
    acks: acksAll ? 'all' : acks,
    idempotence: wanted === true ? 'required' : wanted === false || !acksAll ? 'off' : 'preferred',
    compression: variables.oneOf('KAFKA_COMPRESSION_TYPE', compressionTypes, 'none'),
    lingerMs: variables.integer('KAFKA_LINGER_MS', 0, { max: 1_000 }),
    batchSize: variables.integer('KAFKA_BATCH_SIZE', MIB, { min: 1 }),
    maxRequestSize: variables.integer('KAFKA_MAX_REQUEST_SIZE', MIB, { min: 1_024 }),
    maxQueueBytes: variables.integer('PRODUCE_MAX_QUEUE_BYTES', 32 * MIB, { min: 1_024 }),
  };
}
