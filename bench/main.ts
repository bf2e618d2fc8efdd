/** `npm run bench [name …]`: paired comparisons; each compares in one run and prints ratios. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const NOT_A_BENCHMARK = ['main', 'figures', 'http-contestant', 'consume-contestant'];

const directory = fileURLToPath(new URL('.', import.meta.url));
const names = readdirSync(directory)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replace(/\.ts$/, ''))
  .filter((name) => !NOT_A_BENCHMARK.includes(name));
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}; there are ${names.join(', ')}.`);
  process.exit(1);
}
for (const name of wanted.length > 0 ? wanted : names) {
  console.log(`\n# ${name}\n`);
  const { run } = (await import(`./${name}.ts`)) as { run: () => Promise<void> };
  await run();
}
