import { parseDocument } from 'yaml';

/**
 * The environment variable that `serverless.yml` reads at `path` (`functions.produce.events[0].gateway.groupId`), so
 * that a message can say which one to set. Undefined if there is none.
 */
export function variableAt(file: string, path: string): string | undefined {
  const keys = path
    .replaceAll(/\[(\d+)\]/g, '.$1')
    .split('.')
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key));
  const document = parseDocument(file);
  for (let depth = keys.length; depth > 0; depth--) {
    const value = document.getIn(keys.slice(0, depth));
    if (typeof value === 'string') return /\$\{env:([A-Za-z_][A-Za-z0-9_]*)/.exec(value)?.[1];
  }
  return undefined;
}
