/** The manifests of docs/container/: read by Kubernetes' own schemas, and held to what the image and the code are. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { variablesRead } from '../../build/variable-tables.ts';
import { scratchFolder } from '../support/folders.ts';
import { pythonTool } from '../support/tools.ts';
import { dockerfile, user } from './image.ts';

const folder = fileURLToPath(new URL('../../docs/container/', import.meta.url));
const files = readdirSync(folder).sort();
/** The schemas of Kubernetes 1.37 and before come with it. */
const validator = pythonTool(['kubernetes-validate==1.37.0']);
const VERSIONS = ['1.30', '1.37'];

interface Manifest {
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  spec: Record<string, unknown>;
}

const manifests = files.flatMap((file) =>
  parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => document.toJS() as Manifest),
);
const named = (kind: string, name = 'kafka-functions') => {
  const manifest = manifests.find(({ kind: k, metadata }) => k === kind && metadata.name === name);
  assert.ok(manifest, `${kind} ${name}`);
  return manifest;
};

function validate(version: string, file: string) {
  // Not by its own first line, which names the folder that it was installed in.
  const script = join(dirname(validator.path), 'kubernetes-validate');
  return spawnSync(validator.path, [script, '-k', version, '--strict', file], { encoding: 'utf8' });
}

for (const version of VERSIONS) {
  test(`Kubernetes ${version} knows every field, and each has its type`, async (t: TestContext) => {
    const reason = await validator.missing();
    if (reason) return t.skip(reason);
    for (const file of files) {
      const { status, stdout, stderr } = validate(version, join(folder, file));
      assert.equal(status, 0, stdout + stderr);
    }
  });
}

test('a mistake would be seen', async (t: TestContext) => {
  const reason = await validator.missing();
  if (reason) return t.skip(reason);
  const scratch = scratchFolder('manifests');
  const server = readFileSync(join(folder, 'server.yaml'), 'utf8');
  for (const [right, wrong] of [
    ['readOnlyRootFilesystem', 'readOnlyRootFileSystem'],
    ['replicas: 2', 'replicas: two'],
  ] as const) {
    assert.ok(server.includes(right));
    writeFileSync(join(scratch, 'wrong.yaml'), server.replace(right, wrong));
    assert.notEqual(validate('1.37', join(scratch, 'wrong.yaml')).status, 0, wrong);
  }
});

test('the variables are those that the functions read', () => {
  const asked = variablesRead();
  const variables = [
    ...Object.keys(named('ConfigMap').data ?? {}),
    ...Object.keys(named('Secret').stringData ?? {}),
  ];
  assert.deepEqual(
    variables.filter((name) => !asked.has(name)),
    [],
  );
  const secrets = variables.filter((name) => /PASSWORD|SECRET|KEYS/.test(name));
  assert.deepEqual(secrets, Object.keys(named('Secret').stringData ?? {}));
});

test('pods are what the image is: its user, its port, a root that nobody writes to', () => {
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  const count = (part: string) => text.split(part).length - 1;
  const [uid, gid] = user.split(':');
  for (const setting of [
    `runAsUser: ${uid}`,
    `runAsGroup: ${gid}`,
    'runAsNonRoot: true',
    'readOnlyRootFilesystem: true',
    'allowPrivilegeEscalation: false',
    'capabilities: {drop: [ALL]}',
    'seccompProfile: {type: RuntimeDefault}',
    'automountServiceAccountToken: false',
  ]) {
    assert.equal(count(setting), 2, setting);
  }
  const port = /PORT=(\d+)/.exec(dockerfile)?.[1];
  assert.equal(count(`containerPort: ${port}`), 1);
  assert.equal(named('ConfigMap').data?.KAFKA_SSL_CA_LOCATION, '/certificates/ca.crt');
  assert.equal(count('mountPath: /certificates,'), 2);
});

test('a broker that is away takes pods out of the Service, and restarts none', () => {
  const server = readFileSync(join(folder, 'server.yaml'), 'utf8');
  assert.match(server, /livenessProbe:\s+httpGet: \{path: \/healthy,/);
  assert.match(server, /readinessProbe:\s+httpGet: \{path: \/ready,/);
  assert.equal(server.split('/ready,').length - 1, 1);
});
