/** A record's header: names may repeat, a value may be null. */
export interface Header {
  key: string;
  value: Buffer | null;
}

/** What is published. A null value is a tombstone; without a partition the key (or the batch) decides. */
export interface ProducerRecord {
  topic: string;
  partition?: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: readonly Header[];
  /** Epoch milliseconds; the time of sending where absent. */
  timestamp?: number;
}

/** Where an acknowledged record stands. The offset is null with `acks=0`, where nobody said it. */
export interface RecordMetadata {
  partition: number;
  offset: number | null;
}

/** What was received. A coordinate is absent where the source of the record does not carry it. */
export interface ConsumerRecord {
  topic: string;
  partition?: number;
  offset?: number;
  /** Epoch milliseconds. */
  timestamp?: number;
  key: Buffer | null;
  /** Null: a tombstone. */
  value: Buffer | null;
  headers: readonly Header[];
}
