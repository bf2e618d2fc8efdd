import { type StorageConfig, storageConfig } from '../../../../src/object-storage/config.ts';
import type { PullSink, SinkKind } from '../../records/sink.ts';

export const s3: SinkKind<StorageConfig> = {
  configure: storageConfig,
  // Everything else is a file of its own in the zip, which no other sink loads.
  open: (config, parts): PullSink => ({
    handlePulled: async (pull) => (await import('./s3-handler.ts')).s3Handler(config, parts, pull),
  }),
};
