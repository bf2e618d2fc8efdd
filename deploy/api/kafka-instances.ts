import { ApiClient, type ClientOptions } from './client.ts';
import { type JsonObject, list, number, object, text } from './records.ts';

/** One way to reach an instance. `addresses` is empty where the instance doesn't offer it. */
export interface InstanceAccess {
  addresses: readonly string[];
  /** What the instance's security group must let in. */
  port: number;
}

export interface KafkaInstance {
  id: string;
  name: string;
  status: string;
  version: string;
  vpc: { id: string; name: string };
  subnet: { id: string; name: string; cidr: string };
  securityGroup: { id: string; name: string };
  securityProtocol: string;
  saslMechanisms: readonly string[];
  private: InstanceAccess;
  vpcEndpoint: InstanceAccess;
  public: InstanceAccess;
  topics: readonly { name: string; partitions: number; replicas: number }[];
  users: readonly string[];
}

export interface InstanceNetwork {
  vpcId: string;
  subnetId: string;
}

const PAGE_SIZE = 50;
/** 10,000 topics; an instance has fewer partitions than that. */
const MAX_PAGES = 200;
const ENDPOINT_PORT = 9011;

/** DMS for Kafka: what its console shows of an instance. */
export class KafkaInstances {
  readonly #client: ApiClient;
  readonly #projectId: string;

  constructor(options: Omit<ClientOptions, 'service'> & { projectId: string }) {
    this.#client = new ApiClient({ ...options, service: 'dms' });
    this.#projectId = options.projectId;
  }

  /** Rejects with an ApiError 404 where there is no such instance. */
  async get(id: string): Promise<KafkaInstance> {
    const details = object(await this.#read(`/${id}`));
    const hasSasl = details.ssl_enable === true;
    const [topics, users] = await Promise.all([this.#topics(id), hasSasl ? this.#users(id) : []]);
    return { ...describe(id, details), topics, users };
  }

  /** Rejects with an ApiError 404 where there is no such instance. */
  async network(id: string): Promise<InstanceNetwork> {
    const details = object(await this.#read(`/${id}`));
    return { vpcId: text(details.vpc_id) ?? '', subnetId: text(details.subnet_id) ?? '' };
  }

  async #topics(id: string): Promise<KafkaInstance['topics']> {
    const topics: KafkaInstance['topics'][number][] = [];
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = { offset: String(topics.length), limit: String(PAGE_SIZE) };
      const body = object(await this.#read(`/${id}/topics`, query));
      const found = list(body.topics).map(object);
      topics.push(
        ...found.map((topic) => ({
          name: text(topic.name) ?? '',
          partitions: number(topic.partition) ?? 0,
          replicas: number(topic.replication) ?? 0,
        })),
      );
      if (found.length === 0 || topics.length >= (number(body.total) ?? 0)) break;
    }
    return topics;
  }

  async #users(id: string): Promise<string[]> {
    const body = object(await this.#read(`/${id}/users`));
    return list(body.users).map((user) => text(object(user).user_name) ?? '');
  }

  async #read(path: string, query: Record<string, string> = {}): Promise<unknown> {
    const request = { method: 'GET', path: `/v2/${this.#projectId}/instances${path}`, query } as const;
    return (await this.#client.send(request)).body;
  }
}

function describe(id: string, details: JsonObject): Omit<KafkaInstance, 'topics' | 'users'> {
  const hasSasl = details.ssl_enable === true;
  const securityProtocol = hasSasl ? (text(details.kafka_security_protocol) ?? 'SASL_SSL') : 'PLAINTEXT';
  const mechanisms = list(details.sasl_enabled_mechanisms).map(String);
  return {
    id,
    name: text(details.name) ?? id,
    status: text(details.status) ?? 'unknown',
    version: text(details.engine_version) ?? 'unknown',
    vpc: { id: text(details.vpc_id) ?? '', name: text(details.vpc_name) ?? '' },
    subnet: {
      id: text(details.subnet_id) ?? '',
      name: text(details.subnet_name) ?? '',
      cidr: text(details.subnet_cidr) ?? '',
    },
    securityGroup: {
      id: text(details.security_group_id) ?? '',
      name: text(details.security_group_name) ?? '',
    },
    securityProtocol,
    // SCRAM-SHA-512 is always there; only PLAIN has to be switched on.
    saslMechanisms: hasSasl && mechanisms.length === 0 ? ['SCRAM-SHA-512'] : mechanisms,
    private: access(hasSasl ? 9093 : 9092, privateAddresses(details)),
    vpcEndpoint: access(ENDPOINT_PORT, endpointAddresses(text(details.cross_vpc_info))),
    public: access(hasSasl ? 9095 : 9094, publicAddresses(details)),
  };
}

function privateAddresses(details: JsonObject): string[] {
  return split(text(details.kafka_private_connect_address) ?? text(details.connect_address));
}

function publicAddresses(details: JsonObject): string[] {
  return details.enable_publicip === true ? split(text(details.public_connect_address)) : [];
}

/** JSON text: each broker's own address, with the one that it has for other VPCs. */
function endpointAddresses(information: string | undefined): string[] {
  try {
    const brokers = Object.values(object(JSON.parse(information ?? '{}'))).map(object);
    return brokers.flatMap((broker) => {
      const isServing = broker.success !== false && broker.port_id !== undefined;
      const address = text(broker.advertised_ip);
      return isServing && address ? [`${address}:${number(broker.port) ?? ENDPOINT_PORT}`] : [];
    });
  } catch {
    return [];
  }
}

function access(port: number, addresses: readonly string[]): InstanceAccess {
  return {
    port,
    addresses: addresses.map((address) => (/:\d+$/.test(address) ? address : `${address}:${port}`)),
  };
}

function split(addresses: string | undefined): string[] {
  return (addresses ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '');
}
