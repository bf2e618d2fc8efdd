/** A record's header: names may repeat, a value may be null. */
export interface Header {
  key: string;
  value: Buffer | null;
}

/** A record to publish. A null value is a tombstone. Without a partition, the key or the batch decides. */
export interface ProducerRecord {
  topic: string;
  partition?: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: readonly Header[];
  /** Epoch milliseconds; the time of sending where absent. */
  timestamp?: number;
}

/** The place of an acknowledged record. The offset is null with `acks=0`, where the broker doesn't tell. */
export interface RecordMetadata {
  partition: number;
  offset: number | null;
}

/** A received record. A coordinate is absent where the source doesn't carry it. */
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
