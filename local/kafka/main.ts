import { dim } from '../console.ts';
import { exportLines } from '../shell.ts';
import { startSandboxKafka } from './sandbox.ts';

try {
  await runUntilSignalled();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function runUntilSignalled(): Promise<void> {
  const starting = startSandboxKafka({ fixedPorts: true });
  // During the start it is enough to exit: the guard cleans up.
  const leave = (): void => process.exit(130);
  process.on('SIGINT', leave).on('SIGTERM', leave);
  const { cluster, environment, topics } = await starting;
  process.off('SIGINT', leave).off('SIGTERM', leave);

  const signalled = new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve());
  });
  process.stdout.write(exportLines(environment));
  const others = Object.entries(cluster.bootstrapServers).map(
    ([listener, servers]) => `${listener} ${servers}`,
  );
  process.stderr.write(
    dim(
      `Topics ${topics.map(({ name }) => name).join(', ')}. Listeners: ${others.join(', ')}. Ctrl-C stops it.\n`,
    ),
  );
  await signalled;
  await cluster.stop();
}
