/**
 * Schemathesis (PyPI) reads `/openapi.json` and sends what it says, and what it doesn't say, to the HTTP
 * server: no answer may be a 5xx, and none may differ from its description.
 */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { httpConfig } from '../../functions/http/config.ts';
import { createHttpServer } from '../../functions/http/server.ts';
import { createRoute } from '../../functions/produce/publish.ts';
import { cacheRoot } from '../../local/kafka/distribution.ts';
import { readConfig } from '../../src/variables.ts';
import { connectionConfigFor, kafkaForTests, newTopic } from '../support/cluster.ts';
import { scratchFolder } from '../support/folders.ts';
import { listening } from '../support/http.ts';
import { recordingLog } from '../support/log.ts';
import { run } from '../support/processes.ts';
import { produceDefaults } from '../support/produce.ts';
import { newProducer } from '../support/producer.ts';

const VERSION = '4.32.5';
const INSTALL_MS = 300_000;
const RUN_MS = 600_000;
/** Further answers of the same kind add nothing; the seed of a run is in its output. */
const EXAMPLES = process.env.SOAK_EXAMPLES ?? '200';
/** Whether data that fits the schemas is accepted depends on the topic, and on what JSON Schema can't say. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
];

const python = process.env.PYTHON ?? 'python3';
const hasPython = (await run(python, ['-c', 'import venv, ensurepip'], { timeout: 10_000 })).code === 0;
const skip = hasPython ? false : `${python} (with venv) is not installed: schemathesis needs it`;

test('schemathesis finds no 5xx and no answer that is not described', { skip }, async () => {
  const schemathesis = await installed();
  const cluster = await kafkaForTests();
  const { producer } = newProducer(connectionConfigFor(cluster));
  const topic = await newTopic(cluster, { partitions: 3 });
  const config = { ...produceDefaults, defaultTopic: topic };
  const route = createRoute({ producer, config, log: recordingLog() });
  const server = createHttpServer(
    route,
    readConfig(() => undefined, httpConfig),
  );
  const port = await listening(server);
  const url = `http://127.0.0.1:${port}`;
  const directory = scratchFolder('schemathesis');
  // Once with topics of its own invention, once with one that is there.
  for (const settings of ['', `[parameters]\ntopic = "${topic}"\n`]) {
    const file = join(directory, 'schemathesis.toml');
    await writeFile(file, settings);
    const { code, output } = await run(
      schemathesis,
      [
        ...['--config-file', file, 'run', `${url}/openapi.json`, '--url', url],
        ...['--checks', CHECKS.join(), '--max-examples', EXAMPLES, '--continue-on-failure'],
        ...['--suppress-health-check', 'all', '--no-color'],
      ],
      { timeout: RUN_MS, cwd: directory },
    );
    console.log(output);
    assert.equal(code, 0, 'schemathesis found something: see above');
  }
});

/** The program, from a virtual environment of its own that is made once. */
async function installed(): Promise<string> {
  const directory = join(cacheRoot(), `schemathesis-${VERSION}`);
  const program = join(directory, 'bin', 'schemathesis');
  if (existsSync(program)) return program;
  for (const [command, args] of [
    [python, ['-m', 'venv', '--clear', directory]],
    [join(directory, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', `schemathesis==${VERSION}`]],
  ] as const) {
    const { code, output } = await run(command, args, { timeout: INSTALL_MS });
    assert.equal(code, 0, `${command} ${args.join(' ')}:\n${output}`);
  }
  return program;
}
