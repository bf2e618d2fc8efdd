// Resources that stay open from call to call, such as a connection pool: none until you rewrite this file.
import type { ResourcesContext } from '../records/pipeline.ts';

/**
 * Called once an instance, before the first record. Its result is `context.resources`. Read your own variables with
 * `context.environment('DATABASE_URL')`.
 */
export function openResources(_context: ResourcesContext): undefined {
  return undefined;
}

/** Called when the process is told to end. */
export function closeResources(_resources: undefined): void {}
