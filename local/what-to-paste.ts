import type { StartedSink } from './sinks.ts';

/** Prints commands to try, on stdout. */
export function printWhatToPaste(
  url: string,
  { hasEnvFile, sink }: { hasEnvFile: boolean; sink: StartedSink | undefined },
): void {
  console.log(`
Ready. Publish a record:

  curl -s -XPOST -H 'content-type: application/json' \\
    --data '{"records":[{"key":"a","value":{"n":1}}]}' ${url}/topics/orders

See whether and where the connection fails (or open the page in a browser):

  curl -s ${url}/connectivity-check

Pull now, without waiting for the timer:

  curl -s -XPOST ${url}/consume-batch
`);
  if (hasEnvFile) {
    console.log(`Read the record back, in another shell (npm run doctor and npm run replay then reach this Kafka as well):

  . .kafka-functions/env
  npm run records -- orders
${sink ? `\nAfter a pull, see what has arrived:\n\n  ${sink.look}\n` : ''}`);
  }
}
