import type { KafkaInstance } from './api/kafka-instances.ts';

export const accessModes = ['private', 'vpc-endpoint', 'public'] as const;
export type AccessMode = (typeof accessModes)[number];

/** What the guide's first chapter asks a person to collect, as a table. */
export function instanceReport(instance: KafkaInstance): string {
  const { vpc, subnet, securityGroup, topics, users } = instance;
  const group = `${securityGroup.name} (${securityGroup.id})`;
  const rows: [name: string, value: string][] = [
    ['instance', `${instance.name} (${instance.id}), Kafka ${instance.version}, ${instance.status}`],
    ['network', `VPC ${vpc.name} (${vpc.id}), subnet ${subnet.name} ${subnet.cidr} (${subnet.id})`],
    ['security', securityLine(instance)],
    [
      'same VPC',
      accessLine(
        instance,
        'private',
        `${group} lets in TCP ${instance.private.port} from the functions' subnet`,
      ),
    ],
    [
      'peering',
      accessLine(instance, 'private', `${group} lets in TCP ${instance.private.port} from the peer's subnet`),
    ],
    ['VPC endpoint', accessLine(instance, 'vpc-endpoint', `${group} lets in TCP 9011 from 198.19.128.0/17`)],
    [
      'public',
      accessLine(
        instance,
        'public',
        `${group} lets in TCP ${instance.public.port} from the functions' NAT address`,
      ),
    ],
    [
      'users',
      users.join(', ') || (instance.securityProtocol.startsWith('SASL') ? 'none: create one' : 'not needed'),
    ],
    ['topics', topics.length === 0 ? 'none: create one' : ''],
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

/** The variables that `serverless.yml` reads, for a file `.env`; the password is the user's to add. */
export function instanceVariables(instance: KafkaInstance, region: string, mode: AccessMode): string {
  const { addresses } = accessOf(instance, mode);
  if (addresses.length === 0) throw new Error(`${instance.name} has no ${mode} access: ${howToGet(mode)}.`);
  const [user] = instance.users;
  const lines = [
    `OS_REGION_NAME=${region}`,
    `DMS_INSTANCE_ID=${instance.id}`,
    // Over the public network the functions need no VPC of the instance's.
    ...(mode === 'public' ? [] : [`VPC_ID=${instance.vpc.id}`, `SUBNET_ID=${instance.subnet.id}`]),
    `KAFKA_BOOTSTRAP_SERVERS=${addresses.join(',')}`,
    `KAFKA_SECURITY_PROTOCOL=${instance.securityProtocol}`,
  ];
  if (instance.securityProtocol.startsWith('SASL')) {
    const mechanism = instance.saslMechanisms.find((name) => name.startsWith('SCRAM')) ?? 'PLAIN';
    lines.push(
      `KAFKA_SASL_MECHANISM=${mechanism}`,
      `KAFKA_SASL_USERNAME=${user ?? ''}`,
      '# KAFKA_SASL_PASSWORD=',
    );
  }
  return lines.join('\n');
}

/** The best of what the instance offers: the nearer, the better. */
export function nearestMode(instance: KafkaInstance): AccessMode {
  return accessModes.find((mode) => accessOf(instance, mode).addresses.length > 0) ?? 'private';
}

function accessOf(instance: KafkaInstance, mode: AccessMode): KafkaInstance['private'] {
  if (mode === 'private') return instance.private;
  return mode === 'public' ? instance.public : instance.vpcEndpoint;
}

function accessLine(instance: KafkaInstance, mode: AccessMode, rule: string): string {
  const { addresses } = accessOf(instance, mode);
  return addresses.length === 0 ? `off: ${howToGet(mode)}` : `${addresses.join(',')}; ${rule}`;
}

function howToGet(mode: AccessMode): string {
  if (mode === 'public') return "switch on Public Access on the instance's page";
  if (mode === 'vpc-endpoint')
    return 'create a VPC endpoint service and endpoint for it (docs/access-modes/vpc-endpoint.md)';
  return 'the instance is not ready yet';
}

function securityLine({ securityProtocol, saslMechanisms }: KafkaInstance): string {
  if (!securityProtocol.startsWith('SASL'))
    return `${securityProtocol}: no certificate and no user is needed`;
  const certificate = securityProtocol === 'SASL_SSL' ? '; the certificate goes into certificates/' : '';
  return `${securityProtocol} with ${saslMechanisms.join(', ')}${certificate}`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}
