import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { findAccount } from '../../deploy/credentials.ts';
import { scratchFolder } from '../support/folders.ts';

/** A home directory with these files. */
function home(files: Record<string, string> = {}): string {
  const directory = scratchFolder('home');
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
  return directory;
}

const pairs = [
  ['HUAWEICLOUD_SDK_AK', 'HUAWEICLOUD_SDK_SK'],
  ['OTC_SDK_AK', 'OTC_SDK_SK'],
  ['OS_ACCESS_KEY', 'OS_SECRET_KEY'],
  ['HW_ACCESS_KEY', 'HW_SECRET_KEY'],
] as const;
for (const [access, secret] of pairs) {
  test(`${access} and ${secret} are read`, () => {
    const { credentials, source } = findAccount({ [access]: 'ak', [secret]: 'sk', HOME: home() });
    assert.deepEqual(credentials, { accessKey: 'ak', secretKey: 'sk', securityToken: undefined });
    assert.equal(source, access);
  });

  test(`${access} without ${secret} is half a key`, () => {
    assert.throws(
      () => findAccount({ [access]: 'ak', HOME: home() }),
      new RegExp(`^Error: ${secret} is missing`),
    );
  });
}

test('a temporary key and a project are read with it', () => {
  const environment = {
    OS_ACCESS_KEY: 'ak',
    OS_SECRET_KEY: 'sk',
    OS_SECURITY_TOKEN: 'token',
    OS_PROJECT_ID: 'project',
  };
  const { credentials, projectId } = findAccount({ ...environment, HOME: home() });
  assert.deepEqual(credentials, { accessKey: 'ak', secretKey: 'sk', securityToken: 'token' });
  assert.equal(projectId, 'project');
});

test('a token is read', () => {
  const { credentials } = findAccount({ OS_TOKEN: 'token', HOME: home() });
  assert.deepEqual(credentials, { token: 'token' });
});

test('~/.huaweicloud/credentials is read', () => {
  const file = '[default]\nak = file-ak\nsk=file-sk\n[global]\nak=other\nsk=other\n';
  const directory = home({ '.huaweicloud/credentials': file });
  const { credentials, source } = findAccount({ HOME: directory });
  assert.deepEqual(credentials, { accessKey: 'file-ak', secretKey: 'file-sk', securityToken: undefined });
  assert.equal(source, join(directory, '.huaweicloud', 'credentials'));
});

test('clouds.yaml is read, with the secret from secure.yaml', () => {
  const directory = home({
    '.config/openstack/clouds.yaml': 'clouds: {otc: {auth: {access_key: ak, project_id: project}}}',
    '.config/openstack/secure.yaml': 'clouds: {otc: {auth: {secret_key: sk}}}',
  });
  const { credentials, projectId } = findAccount({ OS_CLOUD: 'otc', HOME: directory });
  assert.deepEqual(credentials, { accessKey: 'ak', secretKey: 'sk', securityToken: undefined });
  assert.equal(projectId, 'project');
  assert.throws(
    () => findAccount({ OS_CLOUD: 'other', HOME: directory }),
    /no access_key and secret_key for the cloud "other"/,
  );
});

test('the environment wins over the files', () => {
  const directory = home({ '.huaweicloud/credentials': '[default]\nak=file\nsk=file' });
  assert.equal(
    findAccount({ OS_ACCESS_KEY: 'a', OS_SECRET_KEY: 'b', HOME: directory }).source,
    'OS_ACCESS_KEY',
  );
});

test('without any, it says what to set', () => {
  assert.throws(
    () => findAccount({ HOME: home() }),
    /^Error: No credentials: set OS_ACCESS_KEY and OS_SECRET_KEY/,
  );
});
