/** `npm run doctor`: the check with this shell's variables, as text, and an exit code for each layer. */
import { environmentOf } from '../../src/settings-files.ts';
import { exitCode } from './formats/exit-code.ts';
import { textReport } from './formats/text.ts';
import { runCheck } from './run-check.ts';

const DEFAULT_TIMEOUT_MS = 15_000;

const report = await runCheck({
  environment: environmentOf('connectivity-check'),
  deadline: Date.now() + Number(process.env.CHECK_TIMEOUT_MS || DEFAULT_TIMEOUT_MS),
});
// Ends with the last byte written: a name that is still being resolved would hold the process for seconds.
process.stdout.write(
  process.argv.includes('--json') ? `${JSON.stringify(report, null, 2)}\n` : textReport(report),
  () => process.exit(exitCode(report)),
);
