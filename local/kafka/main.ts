import { dim } from '../console.ts';
import { startSandboxKafka } from './sandbox.ts';

try {
  await runUntilSignalled();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function runUntilSignalled(): Promise<void> {
  const starting = startSandboxKafka({ fixedPorts: true });
  // While it starts, ending is enough: the guard takes away what there is by then.
  const leave = (): void => process.exit(130);
  process.on('SIGINT', leave).on('SIGTERM', leave);
  const { cluster, environment, topics } = await starting;
  process.off('SIGINT', leave).off('SIGTERM', leave);

  const signalled = new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve());
  });
  for (const [name, value] of Object.entries(environment)) {
    process.stdout.write(`export ${name}=${quote(value)}\n`);
  }
  const others = Object.entries(cluster.bootstrapServers).map(
    ([listener, servers]) => `${listener} ${servers}`,
  );
  process.stderr.write(
    dim(`Topics ${topics.join(', ')}. Listeners: ${others.join(', ')}. Ctrl-C stops it.\n`),
  );
  await signalled;
  await cluster.stop();
}

/** As a POSIX shell reads it back. */
function quote(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
