// What the pipeline keeps open from call to call: a pool of connections, a client. Nothing, until you rewrite this file.
import type { ResourcesContext } from '../records/pipeline.ts';

/**
 * Called once an instance, before the first record; what it returns is `context.resources`. Variables of your own:
 * `context.environment('DATABASE_URL')`.
 */
export function openResources(_context: ResourcesContext): undefined {
  return undefined;
}

/** Called when the process is told to end. */
export function closeResources(_resources: undefined): void {}
