/**
 * `npm run stack -- produce < stack.txt`: translates a bundle's stack trace into lines of the sources. It takes a stack,
 * or lines of the log that hold one.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const USAGE = `Usage: npm run stack -- <function | file.js.map> < stack.txt

  <function>     takes its map from the last build in dist/, such as produce
  <file.js.map>  the map of the same build as the bundle: it fits no bundle of other sources, certificates or settings;
                 the maps of the bundle's other files lie beside it, as produce.<file>.js.map`;
/** A place in a script, in whatever folder. */
const PLACE = /[^\s()"'\\]*?([\w-]+\.js):(\d+):(\d+)/g;

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
  const maps = readMaps(path);
  if (!maps) {
    console.error(`there is no ${path}: npm run build makes the maps of this work tree`);
    process.exitCode = 1;
    return;
  }
  process.stdout.write(translated(await text(process.stdin), maps));
}

/** The maps of all scripts of a function, by script; `path` is that of `index.js`. */
function readMaps(path: string): Map<string, SourceMap> | undefined {
  if (!existsSync(path)) return undefined;
  const name = basename(path).replace(/js\.map$/, '');
  const files = readdirSync(dirname(path)).filter((file) => file.startsWith(name) && file.endsWith('.map'));
  return new Map(
    files.map((file) => {
      const map = JSON.parse(readFileSync(join(dirname(path), file), 'utf8'));
      return [map.file, new SourceMap(map)];
    }),
  );
}

function translated(stack: string, maps: ReadonlyMap<string, SourceMap>): string {
  // In a line of the log, line ends are escaped.
  return stack.replaceAll(/\\n(?= {4}at )/g, '\n').replaceAll(PLACE, (place, file, line, column) => {
    // Source maps count from 0. For a place behind the script's end the last entry would be found.
    const entry = maps.get(file)?.findEntry(line - 1, column - 1);
    if (!entry || !('originalSource' in entry) || entry.generatedLine !== line - 1) return place;
    return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

await main();
