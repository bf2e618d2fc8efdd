import { checkHandler } from '../../src/platform/check-function.ts';
import { initializerOf } from '../../src/platform/initializer.ts';
import { logReport } from './formats/log-report.ts';
import { readCheckConfig, runCheck } from './run-check.ts';
import { serveCheck } from './serve.ts';
import { timerFault } from './timer-fault.ts';

export const handler = checkHandler({
  run: runCheck,
  serve: serveCheck,
  log: logReport,
  fault: timerFault,
});

/** Nothing is kept warm, because a check has to go the whole way each time. A wrong configuration shows up early. */
export const initializer = initializerOf(async ({ environment }) => readCheckConfig(environment));
