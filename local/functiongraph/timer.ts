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

/** `fire()` calls now. `stop()` ends the timer, but not a running call. */
export interface TimerTrigger {
  fire(): Promise<InvocationResult>;
  stop(): void;
}

/** The first call comes after `everyMs`. A tick is skipped while a call still runs. */
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
      // Only a stopped runtime rejects; then nobody wants to know.
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
