// The context object of FunctionGraph's Node.js runtime: only its documented methods.
'use strict';

const { format } = require('node:util');

const LEVELS = ['debug', 'info', 'warn', 'error'];

/**
 * `settings` are the function's, `call` has `requestId` and `timeoutMs`, `write` takes log text.
 * The clock of the remaining time starts here.
 */
exports.createContext = (settings, call, write) => {
  const startedAt = performance.now();
  const { userData } = settings;
  return {
    getRequestID: () => call.requestId,
    getRemainingTimeInMilliSeconds: () =>
      Math.max(0, Math.floor(call.timeoutMs - (performance.now() - startedAt))),
    // Milliseconds, despite the name, as on the platform.
    getRunningTimeInSeconds: () => settings.timeoutMs,
    getUserData: (key) => (Object.hasOwn(userData, key) ? userData[key] : undefined),
    getFunctionName: () => settings.functionName,
    getVersion: () => 'latest',
    // A string on the platform as well.
    getMemorySize: () => String(settings.memoryMb),
    getCPUNumber: () => 300 + Math.floor((100 * (settings.memoryMb - 128)) / 128),
    getPackage: () => 'default',
    getProjectID: () => 'local',
    getAlias: () => '',
    getToken: () => '',
    getSecurityAccessKey: () => '',
    getSecuritySecretKey: () => '',
    getSecurityToken: () => '',
    getLogger: () => createLogger(write),
  };
};

function createLogger(write) {
  let lowest = 'info';
  const log =
    (level) =>
    (...values) => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(lowest)) return;
      write(`${level.toUpperCase()} ${format(...values)}\n`);
    };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    setLevel: (level) => {
      lowest = String(level).toLowerCase();
    },
  };
}
