import * as check from '../functions/connectivity-check/config.ts';
import * as consume from '../functions/consume-batch/config.ts';
import { sinkNames } from '../functions/consume-batch/sinks/open-sink.ts';
import { httpConfig } from '../functions/http/config.ts';
import * as produce from '../functions/produce/config.ts';
import { Variables } from '../src/variables.ts';

/** Variables that make the readers ask for others. */
const settings: Record<string, string>[] = [
  ...sinkNames.map((name) => ({ CONSUME_SINK: name })),
  { WEBHOOK_SECRET: 'a-secret' },
];

interface Bounds {
  min?: number;
  max?: number;
}

/** A reader that remembers what stands for a variable that is not set. */
class RecordingVariables extends Variables {
  readonly defaults = new Map<string, string>();

  override integer(name: string, fallback: number, bounds?: Bounds): number;
  override integer(name: string, fallback: undefined, bounds?: Bounds): number | undefined;
  override integer(name: string, fallback: number | undefined, bounds: Bounds = {}): number | undefined {
    if (fallback !== undefined) this.defaults.set(name, sizeText(fallback));
    return super.integer(name, fallback as number, bounds);
  }

  override oneOf<T extends string>(name: string, values: readonly T[], fallback: T): T;
  override oneOf<T extends string>(name: string, values: readonly T[], fallback: undefined): T | undefined;
  override oneOf<T extends string>(
    name: string,
    values: readonly T[],
    fallback: T | undefined,
  ): T | undefined {
    if (fallback !== undefined) this.defaults.set(name, fallback);
    return super.oneOf(name, values, fallback as T);
  }
}

/** The names of all variables that the functions' readers ask for, and their defaults where the readers have them. */
export function variablesAsked(): { names: string[]; defaults: ReadonlyMap<string, string> } {
  const asked = new Set<string>();
  const defaults = new Map<string, string>();
  for (const setting of settings) {
    const variables = new RecordingVariables((name) => {
      asked.add(name);
      return setting[name];
    });
    for (const { functionConfig } of [produce, consume, check]) functionConfig(variables);
    consume.pullConfig(variables);
    httpConfig(variables);
    for (const [name, value] of variables.defaults) defaults.set(name, value);
  }
  return { names: [...asked].sort(), defaults };
}

function sizeText(value: number): string {
  const mib = value / 1_048_576;
  return mib >= 1 && Number.isInteger(mib) ? `${mib} MiB` : `${value}`;
}
