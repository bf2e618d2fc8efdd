import { ApiClient, type ClientOptions } from './client.ts';
import { listenersOf } from './kafka-listeners.ts';
import { type JsonObject, list, number, object, text } from './records.ts';

export type Protocol = 'SASL_SSL' | 'SASL_PLAINTEXT' | 'PLAINTEXT';

/** One way to reach an instance, in one protocol. */
export interface Listener {
  protocol: Protocol;
  /** `host:port`, IPv6 in brackets. */
  addresses: readonly string[];
  /** What the instance's security group must let in. */
  port: number;
}

/** By where the client is; in each place the safest protocol first. */
export interface Listeners {
  private: readonly Listener[];
  privateIpv6: readonly Listener[];
  vpcEndpoint: readonly Listener[];
  public: readonly Listener[];
}

export interface KafkaInstance {
  id: string;
  name: string;
  status: string;
  version: string;
  vpc: { id: string; name: string };
  subnet: { id: string; name: string; cidr: string };
  securityGroup: { id: string; name: string };
  listeners: Listeners;
  /** Undefined if the instance doesn't say. */
  saslMechanisms: readonly string[] | undefined;
  /** Whether clients must have a certificate of their own. */
  asksForCertificate: boolean;
  /** Whether a topic is created when it is first used. */
  makesTopics: boolean;
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

/** DMS for Kafka: reads what its console shows. */
export class KafkaInstances {
  readonly #client: ApiClient;

  constructor(options: Omit<ClientOptions, 'service'> & { projectId: string }) {
    this.#client = new ApiClient({ ...options, service: 'dms' });
  }

  /** Rejects with an ApiError 404 if there is no such instance. */
  async get(id: string): Promise<KafkaInstance> {
    const details = object(await this.#read(`/${id}`));
    const described = describe(id, details);
    const hasSasl = speaksSasl(described.listeners);
    const [topics, users] = await Promise.all([this.#topics(id), hasSasl ? this.#users(id) : []]);
    const owner = text(details.access_user);
    return { ...described, topics, users: users.length > 0 || owner === undefined ? users : [owner] };
  }

  /** Rejects with an ApiError 404 if there is no such instance. */
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

  #read(path: string, query: Record<string, string> = {}): Promise<unknown> {
    return this.#client.call({ method: 'GET', path: `/v2/{project_id}/instances${path}`, query });
  }
}

export function speaksSasl(listeners: Listeners): boolean {
  return Object.values<readonly Listener[]>({ ...listeners })
    .flat()
    .some(({ protocol }) => protocol.startsWith('SASL'));
}

function describe(id: string, details: JsonObject): Omit<KafkaInstance, 'topics' | 'users'> {
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
    listeners: listenersOf(details),
    saslMechanisms: mechanisms.length > 0 ? mechanisms : undefined,
    asksForCertificate: details.ssl_two_way_enable === true,
    makesTopics: details.enable_auto_topic === true,
  };
}
