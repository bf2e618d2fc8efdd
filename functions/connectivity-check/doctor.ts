/** `npm run doctor`: checks with this shell's variables, prints text, and exits with a code for each layer. */
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/errors.ts';
import { environmentOf } from '../../src/settings-files.ts';
import { exitCode } from './formats/exit-code.ts';
import { textReport } from './formats/text.ts';
import { runCheck } from './run-check.ts';

const USAGE = `Usage: npm run doctor [-- --json]

Climbs from the configuration of this shell (KAFKA_…, CHECK_…) over that of settings/ to every broker, and says which layer is broken.

  --json  the whole report

Exit codes: 0 fine, 2 warnings, 10 DNS, 20 TCP, 30 TLS, 40 SASL, 50 Kafka, 60 permissions, 70 data, 71 the sink, 78 configuration;
64 where it was called wrongly. A check ends within CHECK_TIMEOUT_MS, else 15 s.`;
const CALLED_WRONGLY = 64;
const DEFAULT_TIMEOUT_MS = 15_000;

const wanted = readArguments();
if (typeof wanted === 'string') {
  console.error(`${wanted}\n\n${USAGE}`);
  process.exitCode = CALLED_WRONGLY;
} else if (wanted.help) {
  console.log(USAGE);
} else {
  await check(wanted.json);
}

/** A string says why the command line makes no sense. */
function readArguments() {
  try {
    return parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    return messageOf(error);
  }
}

async function check(json: boolean): Promise<void> {
  const report = await runCheck({
    environment: environmentOf('connectivity-check'),
    deadline: Date.now() + Number(process.env.CHECK_TIMEOUT_MS || DEFAULT_TIMEOUT_MS),
  });
  // Exits once the last byte is written. A name that is still being resolved would hold the process for seconds.
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : textReport(report), () =>
    process.exit(exitCode(report)),
  );
}
