import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { Credentials } from './api/client.ts';
import { object, text } from './api/records.ts';

/** Who deploys, and to which project, if that is said as well. */
export interface Account {
  credentials: Credentials;
  projectId: string | undefined;
  /** The variable or file it comes from; never a value. */
  source: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The clouds' own tools read these names. They are tried in this order. */
const VARIABLES = [
  {
    accessKey: 'HUAWEICLOUD_SDK_AK',
    secretKey: 'HUAWEICLOUD_SDK_SK',
    securityToken: 'HUAWEICLOUD_SDK_SECURITY_TOKEN',
    projectId: 'HUAWEICLOUD_SDK_PROJECT_ID',
  },
  {
    accessKey: 'OTC_SDK_AK',
    secretKey: 'OTC_SDK_SK',
    securityToken: 'OTC_SDK_SECURITY_TOKEN',
    projectId: 'OTC_SDK_PROJECTID',
  },
  {
    accessKey: 'OS_ACCESS_KEY',
    secretKey: 'OS_SECRET_KEY',
    securityToken: 'OS_SECURITY_TOKEN',
    projectId: 'OS_PROJECT_ID',
  },
  {
    accessKey: 'HW_ACCESS_KEY',
    secretKey: 'HW_SECRET_KEY',
    securityToken: 'HW_SECURITY_TOKEN',
    projectId: 'HW_PROJECT_ID',
  },
] as const;

const HELP =
  'set OS_ACCESS_KEY and OS_SECRET_KEY (or HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, OTC_SDK_AK and OTC_SDK_SK, HW_ACCESS_KEY and HW_SECRET_KEY, OS_TOKEN), or fill ~/.huaweicloud/credentials, or name a cloud with OS_CLOUD in clouds.yaml';

/**
 * Finds the account in the environment, then in `~/.huaweicloud/credentials`, then in `clouds.yaml`. Throws if there is
 * none, or only half of one.
 */
export function findAccount(environment: Environment = process.env): Account {
  const account =
    fromVariables(environment) ??
    fromToken(environment) ??
    fromCredentialsFile(environment) ??
    fromClouds(environment);
  if (account) return account;
  throw new Error(`No credentials: ${HELP}.`);
}

function fromVariables(environment: Environment): Account | undefined {
  for (const names of VARIABLES) {
    const accessKey = environment[names.accessKey];
    const secretKey = environment[names.secretKey];
    if (!accessKey && !secretKey) continue;
    if (!accessKey || !secretKey) {
      throw new Error(`${accessKey ? names.secretKey : names.accessKey} is missing beside its other half.`);
    }
    const securityToken = environment[names.securityToken] || undefined;
    const projectId = environment[names.projectId] || environment.OTC_SDK_PROJECT_ID || undefined;
    return { credentials: { accessKey, secretKey, securityToken }, projectId, source: names.accessKey };
  }
  return undefined;
}

function fromToken(environment: Environment): Account | undefined {
  const token = environment.OS_TOKEN || environment.OS_AUTH_TOKEN;
  if (!token) return undefined;
  return { credentials: { token }, projectId: environment.OS_PROJECT_ID || undefined, source: 'OS_TOKEN' };
}

/** The INI file of Huawei Cloud's SDKs: `[default]` with `ak`, `sk`, and optional `security_token` and `project_id`. */
function fromCredentialsFile(environment: Environment): Account | undefined {
  const path =
    environment.HUAWEICLOUD_SDK_CREDENTIALS_FILE || join(home(environment), '.huaweicloud', 'credentials');
  if (!existsSync(path)) return undefined;
  const values = iniSection(readFileSync(path, 'utf8'));
  return accountOf(values.ak, values.sk, values.security_token, values.project_id, path);
}

function iniSection(content: string): Record<string, string> {
  const values: Record<string, string> = {};
  let section = '';
  for (const line of content.split(/\r?\n/)) {
    section = /^\s*\[(.+)\]\s*$/.exec(line)?.[1] ?? section;
    const [, name, value] = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    // The SDKs' file may also have a section for global services.
    if (name && value && ['', 'default', 'basic'].includes(section)) values[name] = value;
  }
  return values;
}

/** The file of the OpenStack tools; secrets may be in `secure.yaml` beside it. */
function fromClouds(environment: Environment): Account | undefined {
  const name = environment.OS_CLOUD;
  if (!name) return undefined;
  const directories = [process.cwd(), join(home(environment), '.config', 'openstack'), '/etc/openstack'];
  const files = environment.OS_CLIENT_CONFIG_FILE
    ? [environment.OS_CLIENT_CONFIG_FILE]
    : directories.map((directory) => join(directory, 'clouds.yaml'));
  const path = files.find((file) => existsSync(file));
  if (path === undefined)
    throw new Error(`OS_CLOUD is "${name}", but there is no clouds.yaml in ${directories.join(', ')}.`);
  const auth = { ...cloudAuth(path, name), ...cloudAuth(path.replace(/clouds\.yaml$/, 'secure.yaml'), name) };
  const account = accountOf(
    auth.access_key ?? auth.ak,
    auth.secret_key ?? auth.sk,
    auth.security_token,
    auth.project_id,
    path,
  );
  if (!account) throw new Error(`${path} has no access_key and secret_key for the cloud "${name}".`);
  return account;
}

function cloudAuth(path: string, name: string): Record<string, string | undefined> {
  if (!existsSync(path)) return {};
  const file = object(parseYaml(readFileSync(path, 'utf8')));
  const auth = object(object(object(file.clouds)[name]).auth);
  return Object.fromEntries(Object.entries(auth).map(([key, value]) => [key, text(value)]));
}

function accountOf(
  accessKey: string | undefined,
  secretKey: string | undefined,
  securityToken: string | undefined,
  projectId: string | undefined,
  source: string,
): Account | undefined {
  if (!accessKey || !secretKey) return undefined;
  return { credentials: { accessKey, secretKey, securityToken }, projectId, source };
}

function home(environment: Environment): string {
  return environment.HOME || homedir();
}
