import type { Log } from '../../../src/log.ts';
import type { Environment } from '../../../src/variables.ts';
import type { Pipeline } from './pipeline.ts';

/** The pipeline's resources: opened once an instance, and again after a failure. */
export class Resources {
  readonly #pipeline: Pipeline;
  readonly #log: Log;
  #opening: Promise<unknown> | undefined;

  constructor(pipeline: Pipeline, log: Log) {
    this.#pipeline = pipeline;
    this.#log = log;
  }

  /** Rejects with what `openResources` threw. */
  open(environment: Environment): Promise<unknown> {
    this.#opening ??= this.#open(environment).catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(environment: Environment): Promise<unknown> {
    return this.#pipeline.openResources?.({ log: this.#log, environment });
  }

  /** Never rejects: the process is about to end. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    try {
      if (opening) await this.#pipeline.closeResources?.(await opening);
    } catch (error) {
      this.#log.warn('the resources of the pipeline could not be closed', { error });
    }
  }
}
