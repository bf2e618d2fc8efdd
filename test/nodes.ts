/**
 * `npm run test:nodes [-- part of a file's path …]`: `npm test` on the Node.js versions behind the one that
 * FunctionGraph has, one after the other. Each is fetched from npm, once, into the cache beside Kafka.
 */
import { spawnSync } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { node22, node24 } from './support/tools.ts';

for (const node of [node22, node24]) {
  const missing = await node.missing();
  if (missing !== undefined) {
    console.error(missing);
    process.exit(1);
  }
  const { status } = spawnSync(node.path, ['local/run.mjs', 'test/run.ts', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: {
      ...process.env,
      npm_lifecycle_event: 'test',
      PATH: `${dirname(node.path)}${delimiter}${process.env.PATH}`,
    },
  });
  if (status !== 0) process.exitCode = 1;
}
