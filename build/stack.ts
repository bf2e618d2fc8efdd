/**
 * `npm run stack -- produce < stack.txt`: translates a bundle's stack trace into lines of the sources. It takes a stack,
 * or lines of the log that hold one.
 */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const USAGE = `Usage: npm run stack -- <function | file.js.map> < stack.txt

  <function>     takes its map from the last build in dist/, such as produce
  <file.js.map>  the map of the same build as the bundle: it fits no bundle of other sources, certificates or settings`;
/** A place in a bundle, in whatever folder. */
const PLACE = /[^\s()"'\\]*\bindex\.js:(\d+):(\d+)/g;

async function main(): Promise<void> {
  const [wanted = ''] = process.argv.slice(2);
  if (wanted === '--help' || wanted === '-h') {
    console.log(USAGE);
    return;
  }
  if (wanted === '' || wanted.startsWith('-')) {
    console.error(`'${wanted}' is no function and no map\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const path = wanted.endsWith('.map')
    ? wanted
    : fileURLToPath(new URL(`../dist/${wanted}.js.map`, import.meta.url));
  const map = readMap(path);
  if (!map) {
    console.error(`there is no ${path}: npm run build makes the maps of this work tree`);
    process.exitCode = 1;
    return;
  }
  process.stdout.write(translated(await text(process.stdin), map));
}

function readMap(path: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function translated(stack: string, map: SourceMap): string {
  // In a line of the log, line ends are escaped.
  return stack.replaceAll(/\\n(?= {4}at )/g, '\n').replaceAll(PLACE, (place, line, column) => {
    // Source maps count from 0. For a place behind the bundle's end the last entry would be found.
    const entry = map.findEntry(line - 1, column - 1);
    if (!('originalSource' in entry) || entry.generatedLine !== line - 1) return place;
    return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

await main();
