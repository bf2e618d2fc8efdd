/** Bundles under AWS's runtime interface emulator, with AWS's runtime client on AWS's Node.js release. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../local/kafka/ports.ts';
import { npmTool } from '../../local/tools.ts';
import { goTool, node24 } from '../support/tools.ts';

const EMULATOR = 'github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie';
const emulator = goTool(`${EMULATOR}@v0.0.0-20261030222936-bef5c4ba774d`);
/** Its native part is compiled when it is installed, which needs a C++ compiler and make. */
const client = npmTool(['aws-lambda-ric@4.0.2'], 'aws-lambda-ric/index.mjs');

/** Resolves with why bundles can't be emulated here; undefined where they can. */
export async function emulatorMissing(): Promise<string | undefined> {
  for (const tool of [emulator, node24, client]) {
    const reason = await tool.missing();
    if (reason) return reason;
  }
  return undefined;
}

export interface Emulated {
  /** What the function answered, or `{errorType, errorMessage, trace}`. */
  invoke(event: unknown): Promise<unknown>;
  output(): string;
}

/** Starts a bundle's folder as a function of Lambda; it ends when the test, or the file, is over. */
export async function emulate(directory: string, variables: Record<string, string>): Promise<Emulated> {
  const [port, apiPort] = await freePorts(2);
  const child = spawn(
    emulator.path,
    [
      ...['--runtime-interface-emulator-address', `127.0.0.1:${port}`],
      ...['--runtime-api-address', `127.0.0.1:${apiPort}`],
      ...[node24.path, client.path, 'index.handler'],
    ],
    {
      cwd: directory,
      env: {
        PATH: process.env.PATH,
        LAMBDA_TASK_ROOT: directory,
        AWS_LAMBDA_FUNCTION_TIMEOUT: '30',
        ...variables,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  after(async () => {
    child.kill('SIGTERM');
    await once(child, 'close');
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const url = `http://127.0.0.1:${port}/2015-03-31/functions/function/invocations`;
  return {
    output: () => output,
    async invoke(event) {
      const body = JSON.stringify(event);
      // It says nowhere when it listens.
      for (let tries = 0; ; tries++) {
        const response = await fetch(url, { method: 'POST', body }).catch((error: unknown) => {
          if (tries === 100 || child.exitCode !== null) throw new Error(output, { cause: error });
        });
        if (!response) {
          await delay(50);
          continue;
        }
        const text = await response.text();
        assert.equal(response.status, 200, output);
        return JSON.parse(text);
      }
    },
  };
}

export function sample(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`../../events/${name}.json`, import.meta.url), 'utf8'));
}
