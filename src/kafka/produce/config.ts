import type { Variables } from '../../variables.ts';

const MIB = 1024 * 1024;

/** What publishing may compress with. */
export const compressionTypes = ['none', 'gzip', 'lz4'] as const;

export type Acks = 'all' | '1' | '0';

export interface ProducerConfig {
  acks: Acks;
  /** `preferred` falls back where the cluster refuses it, `required` does not. */
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
