import { type KafkaInstance, type Listener, speaksSasl } from './api/kafka-instances.ts';

export const accessModes = ['private', 'private-ipv6', 'vpc-endpoint', 'public'] as const;
export type AccessMode = (typeof accessModes)[number];

/** What docs/deploy.md asks for, as a table. */
export function instanceReport(instance: KafkaInstance): string {
  const { vpc, subnet, topics, users, makesTopics } = instance;
  const rows: [name: string, value: string][] = [
    ['instance', `${instance.name} (${instance.id}), Kafka ${instance.version}, ${instance.status}`],
    ['network', `VPC ${vpc.name} (${vpc.id}), subnet ${subnet.name} ${subnet.cidr} (${subnet.id})`],
    ['security', securityLine(instance)],
    ...accessRows(instance, 'same VPC', 'private', "the functions' subnet"),
    ...(instance.listeners.privateIpv6.length > 0
      ? accessRows(instance, 'over IPv6', 'private-ipv6', "the functions' subnet")
      : []),
    ...accessRows(instance, 'peering', 'private', "the peer's subnet"),
    ...accessRows(instance, 'VPC endpoint', 'vpc-endpoint', '198.19.128.0/17'),
    ...accessRows(instance, 'public', 'public', "the functions' NAT address"),
    ['users', users.join(', ') || (speaksSasl(instance.listeners) ? 'none: create one' : 'not needed')],
    ['topics', topics.length > 0 ? '' : makesTopics ? 'none: made when first used' : 'none: create one'],
    ...topics.map(({ name, partitions, replicas }): [string, string] => [
      '',
      `${name}: ${count(partitions, 'partition')}, ${count(replicas, 'replica')}`,
    ]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows
    .filter(([name, value]) => name !== '' || value !== '')
    .map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd())
    .join('\n');
}

/** The variables that `serverless.yml` reads, as text for `.env`. The user adds the password. */
export function instanceVariables(instance: KafkaInstance, region: string, mode: AccessMode): string {
  const [listener] = listenersOf(instance, mode);
  if (!listener) throw new Error(`${instance.name} has no ${mode} access: ${howToGet(mode)}.`);
  const { protocol, addresses } = listener;
  return [
    `OS_REGION_NAME=${region}`,
    `DMS_INSTANCE_ID=${instance.id}`,
    ...networkVariables(instance, mode),
    `KAFKA_BOOTSTRAP_SERVERS=${addresses.join(',')}`,
    `KAFKA_SECURITY_PROTOCOL=${protocol}`,
    ...(protocol.startsWith('SASL') ? saslVariables(instance) : []),
  ].join('\n');
}

function networkVariables({ vpc, subnet }: KafkaInstance, mode: AccessMode): string[] {
  // Over the public network the functions don't need the instance's VPC.
  if (mode === 'public') return [];
  if (mode === 'vpc-endpoint')
    return ["# The functions' own, with the endpoint:", '# VPC_ID=', '# SUBNET_ID='];
  return [`VPC_ID=${vpc.id}`, `SUBNET_ID=${subnet.id}`];
}

function saslVariables({ saslMechanisms, users }: KafkaInstance): string[] {
  const mechanism = saslMechanisms?.find((name) => name.startsWith('SCRAM')) ?? saslMechanisms?.[0];
  return [
    ...(mechanism ? [] : ['# The instance does not say which it has; older ones have PLAIN alone.']),
    `KAFKA_SASL_MECHANISM=${mechanism ?? 'SCRAM-SHA-512'}`,
    `KAFKA_SASL_USERNAME=${users[0] ?? ''}`,
    '# KAFKA_SASL_PASSWORD=',
  ];
}

/** The nearest mode that the instance offers. */
export function nearestMode(instance: KafkaInstance): AccessMode {
  return accessModes.find((mode) => listenersOf(instance, mode).length > 0) ?? 'private';
}

function listenersOf({ listeners }: KafkaInstance, mode: AccessMode): readonly Listener[] {
  if (mode === 'private') return listeners.private;
  if (mode === 'private-ipv6') return listeners.privateIpv6;
  return mode === 'public' ? listeners.public : listeners.vpcEndpoint;
}

/** A row for each protocol. */
function accessRows(
  instance: KafkaInstance,
  name: string,
  mode: AccessMode,
  source: string,
): [name: string, value: string][] {
  const listeners = listenersOf(instance, mode);
  if (listeners.length === 0) return [[name, `off: ${howToGet(mode)}`]];
  const { securityGroup } = instance;
  const group = `${securityGroup.name} (${securityGroup.id})`;
  return listeners.map(({ protocol, addresses, port }, index) => [
    index === 0 ? name : '',
    `${addresses.join(',')} in ${protocol}; ${group} lets in TCP ${port} from ${source}`,
  ]);
}

function howToGet(mode: AccessMode): string {
  if (mode === 'public') return "switch on Public Access on the instance's page";
  if (mode === 'vpc-endpoint')
    return 'create a VPC endpoint service and endpoint for it (docs/access-modes/vpc-endpoint.md)';
  if (mode === 'private-ipv6') return 'an instance has IPv6 from its creation, or not at all';
  return 'the instance is not ready yet';
}

function securityLine({ listeners, saslMechanisms, asksForCertificate }: KafkaInstance): string {
  const all = Object.values<readonly Listener[]>({ ...listeners }).flat();
  const protocols = [...new Set(all.map(({ protocol }) => protocol))].join(', ');
  if (!speaksSasl(listeners)) return `${protocols || 'PLAINTEXT'}: no certificate and no user is needed`;
  const mechanisms = saslMechanisms?.join(', ') ?? 'PLAIN or SCRAM-SHA-512';
  const certificate = protocols.includes('SASL_SSL') ? '; the certificate goes into certificates/' : '';
  const own = asksForCertificate
    ? "; it asks clients for a certificate of their own, which these functions don't have: switch two-way authentication off"
    : '';
  return `${protocols} with ${mechanisms}${certificate}${own}`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}
