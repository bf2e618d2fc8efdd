import { scratchCheckout } from '../support/checkout.ts';
import { type Ended, run, start } from '../support/processes.ts';

/** A checkout of a test's own: its `.env`, `serverless.yml` and `.kafka-functions/` are nobody else's. */
export function startableCheckout(): string {
  return scratchCheckout('certificates', 'deploy', 'local', 'package-lock.json', 'serverless.yml').folder;
}

/** This process's environment without what would be a variable of the functions. */
export function cleanEnvironment(variables: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const isOurs = (name: string) =>
    /^(KAFKA|PRODUCE|CONSUME|CHECK|HTTP|PULL)_/.test(name) && name !== 'KAFKA_FUNCTIONS_CACHE';
  const kept = Object.entries(process.env).filter(([name]) => !isOurs(name));
  return { ...Object.fromEntries(kept), ...variables };
}

/** What `npm start` runs, as a process. */
export function npmStart(
  checkout: string,
  { args = [], variables = {} }: { args?: readonly string[]; variables?: NodeJS.ProcessEnv } = {},
) {
  const running = start(process.execPath, ['local/run.mjs', 'local/start.ts', ...args], {
    cwd: checkout,
    env: cleanEnvironment({ PORT: '0', ...variables }),
  });
  return {
    ...running,
    /** Resolves once everything runs. The address is on the other stream, which may be read later. */
    async ready() {
      await running.until('Ctrl-C stops everything.');
      await running.until('http://127.0.0.1:');
    },
    /** The gateway's address. */
    url: () => /http:\/\/127\.0\.0\.1:\d+/.exec(running.output())?.[0] ?? '',
  };
}

/** A command in another shell of the checkout, which has read `.kafka-functions/env`. */
export function inShell(checkout: string, command: string): Promise<Ended> {
  const words = ['-c', `. .kafka-functions/env && ${command}`];
  return run('/bin/sh', words, { cwd: checkout, env: cleanEnvironment() });
}
