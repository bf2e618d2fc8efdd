import { traceIdOf } from '../../records/record-trace.ts';
import type { Sink, SinkKind } from '../../records/sink.ts';

export const log: SinkKind<object> = {
  configure: () => ({}),
  open: logSink,
};

/** Writes a line for each record at level info, to show what a topic carries. */
function logSink(): Sink {
  return {
    oneByOne: false,
    async write(records, { origin: { log } }) {
      for (const record of records) {
        const { topic, partition, offset, timestamp, key, value, headers } = record;
        log.info('record', {
          ...traceIdOf(record),
          topic,
          partition,
          offset,
          timestamp,
          key: key?.toString() ?? null,
          value: value?.toString() ?? null,
          headers: headers.map((header) => ({ key: header.key, value: header.value?.toString() ?? null })),
        });
      }
      return { taken: records.length, failures: [] };
    },
  };
}
