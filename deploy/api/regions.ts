/** The services of a cloud that a deployment talks to. */
export type CloudService = 'functiongraph' | 'dms' | 'lts' | 'iam' | 'apig';

/** The domains of Open Telekom Cloud. */
const OPEN_TELEKOM_CLOUD: Readonly<Record<string, string>> = {
  'eu-de': 'eu-de.otc.t-systems.com',
  'eu-nl': 'eu-nl.otc.t-systems.com',
  'eu-ch2': 'eu-ch2.sc.otc.t-systems.com',
};

const OTC_FUNCTIONGRAPH = 'eu-de';
/** In Huawei Cloud's EU region only FunctionGraph has the same domain as in other regions. */
const HUAWEI_EU = 'eu-west-101';

/** Huawei Cloud's regions with FunctionGraph. */
const HUAWEI_CLOUD: readonly string[] = [
  'ae-ad-1',
  'af-south-1',
  'ap-southeast-1',
  'ap-southeast-2',
  'ap-southeast-3',
  'ap-southeast-4',
  'ap-southeast-5',
  'cn-east-2',
  'cn-east-3',
  'cn-east-4',
  'cn-north-1',
  'cn-north-4',
  'cn-north-9',
  'cn-north-11',
  'cn-south-1',
  'cn-south-4',
  'cn-southwest-2',
  'cn-southwest-3',
  'eu-west-101',
  'la-north-2',
  'la-south-2',
  'me-east-1',
  'my-kualalumpur-1',
  'na-mexico-1',
  'ru-moscow-1',
  'sa-brazil-1',
  'tr-west-1',
];

export const regions: readonly string[] = [...Object.keys(OPEN_TELEKOM_CLOUD), ...HUAWEI_CLOUD];

export function isOpenTelekomCloud(region: string): boolean {
  return Object.hasOwn(OPEN_TELEKOM_CLOUD, region);
}

/** `FUNCTIONGRAPH_ENDPOINT`, `DMS_ENDPOINT`, …: for a private cloud, and for the tests' stand-in. */
export function endpointVariable(service: CloudService): string {
  return `${service.toUpperCase()}_ENDPOINT`;
}

/** Where requests go: to the region's endpoint, or to `endpoint` (a private cloud, tests). */
export interface Place {
  region: string;
  endpoint?: string | undefined;
}

/**
 * The base URL of a service. Throws if the region isn't known, or if `endpoint` would carry a signed request
 * unencrypted to another machine.
 */
export function endpointOf(service: CloudService, { region, endpoint }: Place): string {
  if (endpoint !== undefined) return checkedEndpoint(service, endpoint);
  const domain = OPEN_TELEKOM_CLOUD[region];
  if (domain !== undefined && service === 'functiongraph' && region !== OTC_FUNCTIONGRAPH) {
    throw new Error(
      `provider.region "${region}" has no FunctionGraph: Open Telekom Cloud lists it for ${OTC_FUNCTIONGRAPH} only. If it has come since, set FUNCTIONGRAPH_ENDPOINT=https://functiongraph.${domain}.`,
    );
  }
  if (domain !== undefined) return `https://${otcHost(service, region)}.${domain}`;
  if (HUAWEI_CLOUD.includes(region)) {
    const top = region === HUAWEI_EU && service !== 'functiongraph' ? 'eu' : 'com';
    return `https://${service}.${region}.myhuaweicloud.${top}`;
  }
  throw new Error(`provider.region "${region}" is not known; it is one of ${regions.join(', ')}.`);
}

function otcHost(service: CloudService, region: string): string {
  return service === 'iam' && region === 'eu-ch2' ? 'iam-pub' : service;
}

function checkedEndpoint(service: CloudService, endpoint: string): string {
  if (URL.canParse(endpoint)) {
    const url = new URL(endpoint);
    const isLoopback = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
    if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback)) return url.origin;
  }
  throw new Error(`${endpointVariable(service)} must be an https:// address.`);
}
