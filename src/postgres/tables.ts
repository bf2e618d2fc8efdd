/** The tables that we ask for. */

export const OFFSETS_TABLE = 'kafka_functions_offsets';

/** Of the requests' idempotency keys. */
export const ONCE_TABLE = 'kafka_functions_once';
export const ONCE_KEY = ['group_id', 'topic', 'caller', 'key', 'index'] as const;
export const ONCE_COLUMNS = [...ONCE_KEY, 'digest', 'partition', 'offset', 'written_at'] as const;

/** Of a table that keeps each record as a row. */
export const ROW_COLUMNS = [
  'topic',
  'partition',
  'offset',
  'n',
  'key',
  'value',
  'headers',
  'timestamp',
] as const;
export const ROW_KEY = ['topic', 'partition', 'offset', 'n'] as const;
