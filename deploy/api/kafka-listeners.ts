/** Where and how an instance can be reached. DMS says so in many fields. */
import type { Listener, Listeners, Protocol } from './kafka-instances.ts';
import { type JsonObject, list, number, object, text } from './records.ts';

/** Without SASL, with SASL. */
const PORTS = { private: [9092, 9093], privateIpv6: [9192, 9193], public: [9094, 9095] } as const;
const ENDPOINT_PORT = 9011;
/** As `port_protocols` names them, the safest first. */
const PROTOCOLS: readonly [name: string, protocol: Protocol][] = [
  ['sasl_ssl', 'SASL_SSL'],
  ['sasl_plaintext', 'SASL_PLAINTEXT'],
  ['plain', 'PLAINTEXT'],
];

export function listenersOf(details: JsonObject): Listeners {
  const own = networkListeners('private', details);
  return {
    private: own,
    privateIpv6: ipv6Listeners(details, own),
    vpcEndpoint: endpointListeners(details),
    public: details.enable_publicip === false ? [] : networkListeners('public', details),
  };
}

/** Newer instances may speak several protocols at once, listed in `port_protocols`; others speak one. */
function networkListeners(network: 'private' | 'public', details: JsonObject): Listener[] {
  const entries = object(details.port_protocols);
  const common = commonAddresses(network, details);
  if (Object.keys(entries).length === 0) {
    if (network === 'public' && details.enable_publicip !== true) return [];
    return present([listener(network, singleProtocol(details), common)]);
  }
  const enabled = PROTOCOLS.filter(([name]) => entries[`${network}_${name}_enable`] === true);
  return present(
    enabled.map(([name, protocol]) => {
      const own = split(entries[`${network}_${name}_address`]);
      const names = split(entries[`${network}_${name}_domain_name`]);
      return listener(network, protocol, own.length > 0 ? own : names.length > 0 ? names : hosts(common));
    }),
  );
}

function commonAddresses(network: 'private' | 'public', details: JsonObject): string[] {
  const fields =
    network === 'private'
      ? ['kafka_private_connect_address', 'connect_address', 'kafka_private_connect_domain_name']
      : ['public_connect_address', 'public_connect_domain_name'];
  return fields.map((field) => split(details[field])).find(({ length }) => length > 0) ?? [];
}

/** They speak the protocols of the private listeners. */
function ipv6Listeners(details: JsonObject, own: readonly Listener[]): Listener[] {
  if (details.ipv6_enable !== true) return [];
  const addresses = hosts(list(details.ipv6_connect_addresses).flatMap(split));
  return present(own.map(({ protocol }) => listener('privateIpv6', protocol, addresses)));
}

/**
 * `cross_vpc_info` is JSON text: each broker's own address, and the address that it advertises to other VPCs. If both
 * are the same, nobody has created an endpoint. The protocol is fixed when the instance is created, independently of
 * the other ports.
 */
function endpointListeners(details: JsonObject): Listener[] {
  const brokers = Object.entries(json(text(details.cross_vpc_info)));
  const addresses = brokers.flatMap(([own, value]) => {
    const { advertised_ip, port, success, port_id } = object(value);
    const address = text(advertised_ip);
    const isServing = success !== false && port_id !== undefined && address !== own;
    return isServing && address ? [withPort(address, number(port) ?? ENDPOINT_PORT)] : [];
  });
  return present([{ protocol: singleProtocol(details), addresses, port: ENDPOINT_PORT }]);
}

function singleProtocol(details: JsonObject): Protocol {
  const said = PROTOCOLS.map(([, protocol]) => protocol).find(
    (protocol) => protocol === details.kafka_security_protocol,
  );
  if (Object.keys(object(details.port_protocols)).length > 0 && said) return said;
  return details.ssl_enable === true ? (said ?? 'SASL_SSL') : 'PLAINTEXT';
}

function listener(network: keyof typeof PORTS, protocol: Protocol, addresses: readonly string[]): Listener {
  const [plain, sasl] = PORTS[network];
  const port = protocol === 'PLAINTEXT' ? plain : sasl;
  return { protocol, port, addresses: addresses.map((address) => withPort(address, port)) };
}

function present(listeners: readonly Listener[]): Listener[] {
  return listeners.filter(({ addresses }) => addresses.length > 0);
}

function withPort(address: string, port: number): string {
  if (/^\[.*\]:\d+$/.test(address) || /^[^:]+:\d+$/.test(address)) return address;
  const isBareIpv6 = !address.startsWith('[') && address.includes(':');
  return `${isBareIpv6 ? `[${address}]` : address}:${port}`;
}

/** Without their ports, which are those of another protocol. */
function hosts(addresses: readonly string[]): string[] {
  return addresses.map((address) => address.replace(/(^[^:]+|\]):\d+$/, '$1'));
}

function split(addresses: unknown): string[] {
  return (text(addresses) ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '');
}

function json(value: string | undefined): JsonObject {
  try {
    return object(JSON.parse(value ?? '{}'));
  } catch {
    return {};
  }
}
