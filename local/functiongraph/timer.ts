/** A timer trigger: calls a function at a fixed rate with the platform's TIMER event. */
import type { InvocationResult, Runtime } from './runtime.ts';

/** What to call and how often. `userEvent` is the trigger's "additional information", a raw string. */
export interface TimerTriggerOptions {
  runtime: Runtime;
  everyMs: number;
  name: string;
  userEvent?: string;
  onResult?: (result: InvocationResult) => void;
}

/** `fire()` calls now, `stop()` ends the rhythm; a call that runs goes on. */
export interface TimerTrigger {
  fire(): Promise<InvocationResult>;
  stop(): void;
}

/** The first call comes after `everyMs`. A tick is left out while the call before it still runs. */
export function startTimerTrigger(options: TimerTriggerOptions): TimerTrigger {
  const { runtime, everyMs, name, userEvent = '', onResult } = options;
  let running = false;

  async function fire(): Promise<InvocationResult> {
    const result = await runtime.invoke(timerEvent(name, userEvent));
    onResult?.(result);
    return result;
  }

  const timer = setInterval(() => {
    if (running) return;
    running = true;
    fire()
      // Only a stopped runtime rejects, and then there is nobody to tell.
      .catch(() => clearInterval(timer))
      .finally(() => {
        running = false;
      });
  }, everyMs);

  return { fire, stop: () => clearInterval(timer) };
}

function timerEvent(name: string, userEvent: string) {
  return {
    version: 'v1.0',
    time: new Date().toISOString().replace(/\.\d+Z$/, '+00:00'),
    trigger_type: 'TIMER',
    trigger_name: name,
    user_event: userEvent,
  };
}
