// One function instance, as FunctionGraph runs it: a process that loads the function with `require`, runs
// its initializer once and then one call at a time. Plain CommonJS, so that nothing of this project's
// toolchain stands between Node.js and the function. `instance.ts` holds the other end of the IPC channel.
'use strict';

const { join } = require('node:path');
const { inspect, types } = require('node:util');
const { createContext } = require('./context.cjs');
const { tagOutput } = require('./output.cjs');

// The numbers of the platform's own runtime.
const CODE = { userCode: 4001, resultTooLarge: 4004, resultInvalid: 4007, initializer: 4201 };
const RESULT_LIMIT_BYTES = 6 * 1024 * 1024;

const send = process.send.bind(process);
// The platform's process has no IPC channel: a function must not find one here either.
process.send = undefined;
process.disconnect = undefined;

const output = tagOutput((line) => send({ type: 'log', line }));
let settings;
let handler;

process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole process group, and SIGTERM does nothing on the platform: the parent decides.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('exit', () => output.flush());
process.on('uncaughtException', (error) => {
  output.flush();
  send({ type: 'done', ok: false, crashed: true, error: describe(error, CODE.userCode) }, () =>
    process.exit(1),
  );
});

process.on('message', async (message) => {
  output.setRequestId(message.requestId);
  const outcome = message.type === 'load' ? await load(message) : await invoke(message);
  output.flush();
  send({ type: 'done', ...outcome });
});

async function load(message) {
  settings = message.settings;
  try {
    const found = findExport(settings.handler, 'handler');
    if (found.length !== 2 && found.length !== 3) {
      throw new Error(`handler expect to have 2 or 3 parameters, but received ${found.length}`);
    }
    handler = found;
    if (settings.initializer !== undefined) await initialize(message);
    return { ok: true, result: 'null' };
  } catch (error) {
    return { ok: false, error: describe(error, CODE.initializer) };
  }
}

async function initialize(message) {
  const initializer = findExport(settings.initializer, 'initializer');
  if (initializer.length !== 2) {
    throw new Error(`initializer expect to have 2 parameters, but received ${initializer.length}`);
  }
  await settle((callback) => initializer(createContext(settings, message, output.write), callback));
}

async function invoke(message) {
  let result;
  try {
    const event = JSON.parse(message.event);
    const context = createContext(settings, message, output.write);
    result = await settle((callback) => handler(event, context, callback));
  } catch (error) {
    return { ok: false, error: describe(error, CODE.userCode) };
  }
  return serialise(result);
}

function findExport(entry, role) {
  const dot = entry.lastIndexOf('.');
  const found = require(join(settings.directory, entry.slice(0, dot)))[entry.slice(dot + 1)];
  if (typeof found !== 'function') throw new Error(`${role} ${entry} is not a function`);
  return found;
}

/** If the function returns a native promise, that is its result; else it will call the callback. */
function settle(call) {
  return new Promise((resolve, reject) => {
    const callback = (error, result) => {
      // `null` alone means success: `callback()` and `callback(undefined, x)` fail.
      if (error === null) resolve(result);
      else reject(error ?? new Error('the callback was called without null as its first argument'));
    };
    const returned = call(callback);
    if (types.isPromise(returned)) returned.then(resolve, reject);
  });
}

function serialise(result) {
  let text;
  try {
    text = JSON.stringify(result) ?? 'null';
  } catch (error) {
    const errorMessage = `failed to convert the result to a JSON string, err: ${error.message}`;
    return { ok: false, error: { errorCode: CODE.resultInvalid, errorMessage, errorType: error.name } };
  }
  const bytes = Buffer.byteLength(text);
  if (bytes <= RESULT_LIMIT_BYTES) return { ok: true, result: text };
  const errorMessage = `response body size ${bytes} exceeds the limit of ${RESULT_LIMIT_BYTES}`;
  return { ok: false, error: { errorCode: CODE.resultTooLarge, errorMessage } };
}

function describe(error, errorCode) {
  if (!types.isNativeError(error)) {
    return { errorCode, errorMessage: typeof error === 'string' ? error : inspect(error) };
  }
  return {
    errorCode,
    errorMessage: String(error.message),
    errorType: String(error.name),
    stackTrace: String(error.stack).split('\n'),
  };
}
