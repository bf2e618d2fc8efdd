// One call of a function, as its timer makes it, for a CronJob: `node run.cjs consume-batch '{"maxRecords":500}'`.
// Prints the answer. A failure is in the log, and ends the process with 1. Plain CommonJS, like the bundles.
'use strict';

/** Less than the minute until the next call. */
const TIME_MS = 50_000;

const names = ['consume-batch', 'connectivity-check'];
const [name, wish = ''] = process.argv.slice(2);
if (!names.includes(name)) leave(2, `Name a function: ${names.join(' or ')}.`);
// The functions ignore a timer's text that is not JSON, so this one would pull everything.
if (wish !== '' && !isObject(wish)) leave(2, 'What comes after the function must be a JSON object.');

const deadline = Date.now() + TIME_MS;
const context = { getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()) };
const event = { trigger_type: 'TIMER', trigger_name: 'run', user_event: wish };

// The first process of a container ignores signals that it doesn't listen to.
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(143));

require(`./${name}/index.js`)
  .handler(event, context)
  .then(
    (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0)),
    (error) => process.stderr.write(`${error.message}\n`, () => process.exit(1)),
  );

function isObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function leave(code, sentence) {
  console.error(sentence);
  process.exit(code);
}
