/** `npm run bench [-- name …]`: comparisons; each runs the contestants together and prints ratios. */
const names = ['connectivity-check', 'consume', 'http', 'produce', 'sinks'];
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
