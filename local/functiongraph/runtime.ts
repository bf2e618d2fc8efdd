/**
 * A local FunctionGraph: runs a built function under the platform's calling convention. Instances are
 * processes, started at the first call; each takes one call at a time and further calls wait their turn.
 */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { type FunctionError, type FunctionSettings, Instance, type Outcome } from './instance.ts';

export interface RuntimeOptions {
  /** Holds `index.js`. */
  directory: string;
  /** `file.export`, default `index.handler`. */
  handler?: string;
  /** `file.export`; without it there is none. */
  initializer?: string | undefined;
  functionName?: string;
  /** What `context.getUserData(key)` answers: at most 20 entries, 4,096 characters. */
  userData?: Record<string, string>;
  /** The same for encrypted variables, with limits of their own; they win over `userData`. */
  encryptedUserData?: Record<string, string>;
  /** One call's time, default 60,000. */
  timeoutMs?: number;
  /** Loading and the initializer's time, default `timeoutMs`. */
  initializerTimeoutMs?: number;
  /** What `getMemorySize()` says, default 256; not enforced. */
  memoryMb?: number;
  /** How many calls run at once, each in a process of its own; default 1. */
  instances?: number;
  /** Stops (SIGSTOP) an instance as soon as it has answered, as the platform does; default false. */
  freezeBetweenCalls?: boolean;
  /** Every log line, also those written between two calls. */
  onLog?: (line: string) => void;
}

/** `logs` are the call's tagged lines, `cold` says that an instance was started for it, `ms` excludes the wait for a turn. */
export type InvocationResult = { requestId: string; logs: string[]; cold: boolean; ms: number } & (
  | { ok: true; result: unknown }
  | { ok: false; error: FunctionError }
);

export interface Runtime {
  /** Rejects only if the runtime is stopped or `event` isn't JSON, not if the function fails. */
  invoke(event: unknown, options?: { requestId?: string; timeoutMs?: number }): Promise<InvocationResult>;
  /** SIGSTOP to every instance; the next call thaws the one it gets. */
  freeze(): void;
  thaw(): void;
  /** The process id of the first instance that is alive. */
  pid(): number | undefined;
  /** Ends every instance; a call that still runs fails. */
  stop(): Promise<void>;
}

interface Slot {
  instance: Instance | undefined;
  /** Where the lines of the running call go. */
  logs: string[];
}

interface Call {
  requestId: string;
  event: string;
  timeoutMs: number;
}

/** Starts no process before the first call. Throws if the variables exceed the platform's limits. */
export function startRuntime(options: RuntimeOptions): Runtime {
  const { onLog, freezeBetweenCalls = false, instances = 1 } = options;
  const settings = readSettings(options);
  const { timeoutMs } = settings;
  const { initializerTimeoutMs = timeoutMs } = options;
  const slots = Array.from({ length: instances }, (): Slot => ({ instance: undefined, logs: [] }));
  const idle = [...slots];
  const waiting: ((slot: Slot) => void)[] = [];
  let stopped = false;

  function startInstance(slot: Slot): Instance {
    const instance = new Instance(settings, (line) => {
      // A killed instance may still have lines in its pipe; they belong to no call of its successor.
      if (slot.instance === instance) slot.logs.push(line);
      onLog?.(line);
    });
    return instance;
  }

  async function run(slot: Slot, call: Call): Promise<{ outcome: Outcome; cold: boolean }> {
    // Checked where an instance would start: none may start after `stop` has counted them.
    if (stopped) throw new Error('The runtime is stopped.');
    if (slot.instance?.alive) {
      slot.instance.thaw();
      return { outcome: await slot.instance.invoke(call.requestId, call.event, call.timeoutMs), cold: false };
    }
    const instance = startInstance(slot);
    slot.instance = instance;
    const loaded = await instance.load(call.requestId, initializerTimeoutMs);
    if (!loaded.ok) return { outcome: loaded, cold: true };
    return { outcome: await instance.invoke(call.requestId, call.event, call.timeoutMs), cold: true };
  }

  async function takeTurn(): Promise<Slot> {
    return idle.pop() ?? new Promise((turn) => waiting.push(turn));
  }

  function giveBack(slot: Slot): void {
    // Lines between two calls belong to neither.
    slot.logs = [];
    if (freezeBetweenCalls) slot.instance?.freeze();
    const next = waiting.shift();
    if (next) next(slot);
    else idle.push(slot);
  }

  return {
    async invoke(event, { requestId = randomUUID(), timeoutMs: callTimeoutMs = timeoutMs } = {}) {
      const text = JSON.stringify(event) ?? 'null';
      const slot = await takeTurn();
      const startedAt = performance.now();
      const { logs } = slot;
      try {
        const { outcome, cold } = await run(slot, { requestId, event: text, timeoutMs: callTimeoutMs });
        const about = { requestId, logs, cold, ms: performance.now() - startedAt };
        return outcome.ok
          ? { ok: true, result: JSON.parse(outcome.result) as unknown, ...about }
          : { ok: false, error: outcome.error, ...about };
      } finally {
        giveBack(slot);
      }
    },
    freeze() {
      for (const { instance } of slots) instance?.freeze();
    },
    thaw() {
      for (const { instance } of slots) instance?.thaw();
    },
    pid: () => slots.find(({ instance }) => instance?.alive)?.instance?.pid,
    async stop() {
      stopped = true;
      await Promise.all(slots.map(({ instance }) => instance?.stop()));
    },
  };
}

function readSettings(options: RuntimeOptions): FunctionSettings {
  const { handler = 'index.handler', functionName = 'local', timeoutMs = 60_000, memoryMb = 256 } = options;
  const { directory, initializer, userData = {}, encryptedUserData = {} } = options;
  checkVariables('userData', userData);
  checkVariables('encryptedUserData', encryptedUserData);
  return {
    directory: resolve(directory),
    handler,
    initializer,
    functionName,
    userData: { ...userData, ...encryptedUserData },
    timeoutMs,
    memoryMb,
  };
}

function checkVariables(name: string, variables: Record<string, string>): void {
  const entries = Object.entries(variables);
  const characters = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (entries.length > 20 || characters > 4096) {
    throw new RangeError(
      `${name} has ${entries.length} entries of ${characters} characters; FunctionGraph takes at most 20 and 4096.`,
    );
  }
}
