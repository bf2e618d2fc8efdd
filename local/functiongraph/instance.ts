/** One function instance: the child process, one exchange with it at a time, and its certain end. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { guardOf } from '../guard.ts';

/** The error of a failed call. `errorCode`: 4001 user code, 4004 and 4007 result, 4010, 4201, 4211 time-outs and initializer. */
export interface FunctionError {
  errorCode?: number;
  errorMessage: string;
  errorType?: string;
  stackTrace?: string[];
}

/** The end of one exchange; `result` is JSON text. */
export type Outcome = { ok: true; result: string } | { ok: false; error: FunctionError };

export interface FunctionSettings {
  directory: string;
  handler: string;
  initializer?: string | undefined;
  functionName: string;
  userData: Record<string, string>;
  timeoutMs: number;
  memoryMb: number;
}

type ToWorker =
  | { type: 'load'; requestId: string; timeoutMs: number; settings: FunctionSettings }
  | { type: 'invoke'; requestId: string; timeoutMs: number; event: string };
type FromWorker = { type: 'log'; line: string } | ({ type: 'done'; crashed?: boolean } & Outcome);

const WORKER = fileURLToPath(new URL('worker.cjs', import.meta.url));
const INVOKE_TIMEOUT = 4010;
const INITIALIZER_TIMEOUT = 4211;
const PROCESS_EXIT = 4001;

/** Node 20.15 can't `require` an ES module; newer ones can and must be told not to. */
const AS_NODE_20_15 = ['--no-experimental-require-module', '--no-experimental-detect-module'].filter((flag) =>
  process.allowedNodeEnvironmentFlags.has(flag),
);

/** What the platform sets, and what Node.js needs to run here; nothing else of the caller's environment. */
function minimalEnvironment(settings: FunctionSettings): NodeJS.ProcessEnv {
  const { PATH, TZ, LANG, NODE_V8_COVERAGE, SystemRoot } = process.env;
  const kept = Object.entries({ PATH, TZ, LANG, NODE_V8_COVERAGE, SystemRoot });
  return {
    ...Object.fromEntries(kept.filter(([, value]) => value !== undefined)),
    RUNTIME_CODE_ROOT: settings.directory,
    RUNTIME_FUNC_NAME: settings.functionName,
  };
}

/** A forked worker. After a crash, an exit, a time-out or `stop()` it stays dead: start another. */
export class Instance {
  readonly #child: ChildProcess;
  readonly #guard: ChildProcess | undefined;
  readonly #settings: FunctionSettings;
  readonly #onLine: (line: string) => void;
  readonly #closed: Promise<unknown>;
  #finish: ((outcome: Outcome) => void) | undefined;
  #alive = true;
  #frozen = false;

  /** Forks at once. `onLine` gets each log line, before the end of the exchange that wrote it. */
  constructor(settings: FunctionSettings, onLine: (line: string) => void) {
    this.#settings = settings;
    this.#onLine = onLine;
    this.#child = fork(WORKER, [], {
      cwd: settings.directory,
      env: minimalEnvironment(settings),
      execArgv: AS_NODE_20_15,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#guard = this.#child.pid === undefined ? undefined : guardOf(this.#child.pid);
    this.#closed = once(this.#child, 'close');
    this.#listen();
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#alive ? this.#child.pid : undefined;
  }

  /** Loads the function and runs its initializer. After a failure the instance is dead. */
  async load(requestId: string, timeoutMs: number): Promise<Outcome> {
    const message: ToWorker = { type: 'load', requestId, timeoutMs, settings: this.#settings };
    const outcome = await this.#exchange(message, INITIALIZER_TIMEOUT);
    if (!outcome.ok) this.#kill();
    return outcome;
  }

  /** Runs the handler once. `event` is JSON text. */
  invoke(requestId: string, event: string, timeoutMs: number): Promise<Outcome> {
    return this.#exchange({ type: 'invoke', requestId, timeoutMs, event }, INVOKE_TIMEOUT);
  }

  freeze(): void {
    if (this.#alive && !this.#frozen) this.#frozen = this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    if (this.#frozen) this.#child.kill('SIGCONT');
    this.#frozen = false;
  }

  /** Ends the process, frozen or not; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#kill();
    await this.#closed;
  }

  #exchange(message: ToWorker, timeoutCode: number): Promise<Outcome> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#kill();
        this.#finish?.(timedOut(timeoutCode, message.timeoutMs));
      }, message.timeoutMs);
      this.#finish = (outcome) => {
        clearTimeout(timer);
        this.#finish = undefined;
        resolve(outcome);
      };
      // A channel that is closed already reports here; 'close' then answers the exchange.
      if (this.#alive) this.#child.send(message, () => {});
      else this.#finish(exited('before the call'));
    });
  }

  #listen(): void {
    const { stdout, stderr } = this.#child;
    // Lines here bypassed the tagging: written to the file descriptor, or by Node.js itself.
    for (const stream of [stdout, stderr]) {
      if (stream) createInterface({ input: stream }).on('line', this.#onLine);
    }
    this.#child.on('message', (message: FromWorker) => {
      if (message.type === 'log') return this.#onLine(message.line);
      if (!message.ok && message.crashed) this.#alive = false;
      this.#finish?.(message.ok ? { ok: true, result: message.result } : { ok: false, error: message.error });
    });
    this.#child.on('exit', () => {
      this.#alive = false;
      this.#guard?.kill('SIGKILL');
    });
    // 'close' rather than 'exit': by then every message that the child managed to send has arrived.
    this.#child.on('close', (code, signal) => {
      this.#finish?.(exited(signal === null ? `with code ${code}` : `on ${signal}`));
    });
    this.#child.on('error', (error) => {
      this.#alive = false;
      this.#finish?.(exited(`: ${error.message}`));
    });
  }

  #kill(): void {
    this.#alive = false;
    this.#child.kill('SIGKILL');
  }
}

function timedOut(errorCode: number, timeoutMs: number): Outcome {
  const what = errorCode === INITIALIZER_TIMEOUT ? 'initializer' : 'invocation';
  return { ok: false, error: { errorCode, errorMessage: `${what} timed out after ${timeoutMs} ms` } };
}

function exited(how: string): Outcome {
  const errorMessage = `the function's process exited ${how}`;
  return { ok: false, error: { errorCode: PROCESS_EXIT, errorMessage } };
}
