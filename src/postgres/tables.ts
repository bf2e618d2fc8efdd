/** The tables that we ask for. */

export const OFFSETS_TABLE = 'kafka_functions_offsets';

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
