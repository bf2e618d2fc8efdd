import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, type BuiltFunction, build } from '../../build.ts';
import { type Runtime, type RuntimeOptions, startRuntime } from '../../local/functiongraph/runtime.ts';
import type { KafkaCluster } from '../../local/kafka/cluster.ts';
import { scratchFolder } from './folders.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

/** The functions without anything of the user's: no pipeline, settings or certificates of theirs. */
export function buildOwn(options: BuildOptions = {}): Promise<BuiltFunction[]> {
  const nothing = join(here, 'no-such-folder');
  return build({ pipeline: join(here, 'pipeline'), settings: nothing, certificates: nothing, ...options });
}

/** A package's files, less those that `import()` loads: their names end with a hash. */
export function withoutLateFiles(files: Iterable<string>): string[] {
  return [...files].filter((file) => !/-[A-Z0-9]{8}\.js$/.test(file)).sort();
}

/** The built bundle, and instances of it under the platform's calling convention, stopped when the tests are over. */
export async function bundledConsumer(
  cluster: KafkaCluster,
  builder = buildOwn,
): Promise<(variables: Record<string, string>, options?: Partial<RuntimeOptions>) => Runtime> {
  const outdir = scratchFolder('consume-batch');
  const [built] = await builder({ functions: ['consume-batch'], outdir });
  const directory = built?.directory ?? '';
  return (variables, options = {}) => {
    const runtime = startRuntime({
      directory,
      functionName: 'consume-batch',
      initializer: 'index.initializer',
      userData: {
        KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_SSL,
        KAFKA_SSL_CA_LOCATION: cluster.caLocation,
        KAFKA_SASL_USERNAME: cluster.users.app.username,
        ...variables,
      },
      encryptedUserData: { KAFKA_SASL_PASSWORD: cluster.users.app.password },
      ...options,
    });
    after(() => runtime.stop());
    return runtime;
  };
}
