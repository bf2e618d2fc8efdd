import { type PostgresConfig, postgresConfig } from '../../../../src/postgres/config.ts';
import type { PullSink, SinkKind } from '../../records/sink.ts';

/** Each record once: rows and offsets are committed in one transaction of the database. */
export const postgres: SinkKind<PostgresConfig> = {
  configure: postgresConfig,
  deduplicates: true,
  open(config, parts) {
    // The driver is a file of its own, which only this sink loads.
    let opening: Promise<Required<PullSink>> | undefined;
    const sink = () => {
      opening ??= import('./open-postgres.ts').then(({ openPostgres }) => openPostgres(config, parts));
      return opening;
    };
    return {
      handlePulled: async (pull) => (await sink()).handlePulled(pull),
      committed: async (partitions, kafkas, call) => (await sink()).committed(partitions, kafkas, call),
    };
  },
};
