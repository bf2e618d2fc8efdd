import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Ends a process when this one is gone, however it ended. A worker ends by itself when its channel closes, unless it is
 * frozen or never returns to its event loop, and a server doesn't care. A shell that waits for the end of its input
 * notices in any case. It has a session of its own, so that Ctrl-C doesn't reach it.
 */
export function guardOf(pid: number, signal: 'KILL' | 'QUIT' = 'KILL'): ChildProcess | undefined {
  if (process.platform === 'win32') return undefined;
  const guard = spawn('/bin/sh', ['-c', `read _; kill -${signal} ${pid}`], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: {},
  });
  // Without a shell there is none.
  guard.on('error', () => {});
  guard.unref();
  return guard;
}
