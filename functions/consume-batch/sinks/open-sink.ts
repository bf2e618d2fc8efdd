import type { Meanings, Variables } from '../../../src/variables.ts';
import type { PullSink, Sink, SinkKind, SinkParts } from '../records/sink.ts';
import { transforming } from '../records/transform.ts';
import * as kinds from './sinks.ts';

const sinks = { ...kinds };

type SinkName = keyof typeof sinks;
type SinkConfigs = { [Name in SinkName]: { name: Name } & ReturnType<(typeof sinks)[Name]['configure']> };
export type SinkConfig = SinkConfigs[SinkName];

export const meanings = {
  CONSUME_SINK: {
    meaning: "where records go; `handler` is the pipeline's `handle-record.ts`, `log` a line a record",
  },
  CONSUME_SINK_URL: {
    unset: 'required with `http`, `postgres`, `s3`',
    meaning:
      '`http` sink: where batches are posted; `postgres`: `postgres://host:5432/database`, without credentials, with `?sslmode=` `verify-full` (by default), `verify-ca` or `disable`; `s3`: the endpoint',
  },
} as const satisfies Meanings;

export const sinkNames = Object.keys(sinks) as SinkName[];

export function sinkConfig(variables: Variables): SinkConfig {
  const name = variables.oneOf('CONSUME_SINK', sinkNames, 'handler');
  const { deduplicates } = sinks[name] as SinkKind<SinkConfig>;
  // Whoever asks for it relies on it.
  if (!deduplicates && variables.flag('CONSUME_SINK_DEDUPLICATE', false)) {
    variables.reject('CONSUME_SINK_DEDUPLICATE', `is not for CONSUME_SINK=${name}, which may write repeats`);
  }
  return { name, ...sinks[name].configure(variables) } as SinkConfig;
}

export function openSink(config: SinkConfig, parts: SinkParts): Sink | PullSink {
  // The name tells the type of the configuration, but the compiler can't follow that.
  const { open, takesSource } = sinks[config.name] as SinkKind<SinkConfig>;
  const sink = open(config, parts);
  const { transformRecord } = parts.pipeline;
  return takesSource || !transformRecord || !('write' in sink)
    ? sink
    : transforming(sink, transformRecord, parts);
}
