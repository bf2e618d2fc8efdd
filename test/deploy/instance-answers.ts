/**
 * What DMS answers for an instance: the fields and shapes of Huawei Cloud's SDK (3.1.219), of both clouds' API
 * references, and of the instances in the tests of their Terraform providers.
 */
type Answer = Record<string, unknown>;

/** What every answer has. */
const BASE: Answer = {
  name: 'kafka-orders',
  engine: 'kafka',
  engine_version: '2.7',
  status: 'RUNNING',
  instance_id: 'instance-1',
  type: 'cluster',
  vpc_id: 'vpc-1',
  vpc_name: 'vpc-main',
  subnet_id: 'subnet-1',
  subnet_name: 'subnet-main',
  subnet_cidr: '192.168.0.0/24',
  security_group_id: 'group-1',
  security_group_name: 'kafka',
  enable_publicip: false,
  ipv6_enable: false,
  ipv6_connect_addresses: [],
};
const BROKERS = ['192.168.0.11', '192.168.0.12', '192.168.0.13'];
const at = (port: number) => BROKERS.map((broker) => `${broker}:${port}`).join(',');
const crossVpc = (advertised: (broker: string, index: number) => string) =>
  JSON.stringify(
    Object.fromEntries(
      BROKERS.map((broker, index) => [
        broker,
        { advertised_ip: advertised(broker, index), port: 9011, port_id: `port-${index}`, success: true },
      ]),
    ),
  );
const OTC_SASL: Answer = {
  ...BASE,
  connect_address: BROKERS.join(','),
  port: 9093,
  ssl_enable: true,
  kafka_security_protocol: 'SASL_SSL',
  cross_vpc_info: crossVpc((broker) => broker),
};

export interface Case {
  name: string;
  answer: Answer;
  /** Each way that is on, with protocol and first address. */
  ways: Record<string, string>;
  /** A line that the report has. */
  says?: RegExp;
}

export const cases: Case[] = [
  {
    name: 'OTC, plain text',
    answer: { ...BASE, connect_address: BROKERS.join(','), port: 9092, ssl_enable: false },
    ways: { private: 'PLAINTEXT 192.168.0.11:9092' },
    says: /^security +PLAINTEXT: no certificate and no user is needed$/m,
  },
  {
    name: 'OTC, SASL_SSL, nobody has made an endpoint',
    answer: OTC_SASL,
    ways: { private: 'SASL_SSL 192.168.0.11:9093' },
    says: /^security +SASL_SSL with PLAIN or SCRAM-SHA-512; the certificate goes into certificates\/$/m,
  },
  {
    name: 'OTC, SASL_SSL with public access and an endpoint',
    answer: {
      ...OTC_SASL,
      kafka_private_connect_address: at(9093),
      sasl_enabled_mechanisms: ['PLAIN'],
      enable_publicip: true,
      public_connect_address: '80.158.1.1:9095,80.158.1.2:9095,80.158.1.3:9095',
      cross_vpc_info: crossVpc((_broker, index) => `198.19.1.${index + 1}`),
    },
    ways: {
      private: 'SASL_SSL 192.168.0.11:9093',
      vpcEndpoint: 'SASL_SSL 198.19.1.1:9011',
      public: 'SASL_SSL 80.158.1.1:9095',
    },
    says: /^security +SASL_SSL with PLAIN;/m,
  },
  {
    name: 'OTC, SASL_PLAINTEXT',
    answer: { ...OTC_SASL, kafka_security_protocol: 'SASL_PLAINTEXT' },
    ways: { private: 'SASL_PLAINTEXT 192.168.0.11:9093' },
    says: /^security +SASL_PLAINTEXT with PLAIN or SCRAM-SHA-512$/m,
  },
  {
    name: 'OTC, one broker of the endpoints failed',
    answer: {
      ...OTC_SASL,
      cross_vpc_info: JSON.stringify({
        '192.168.0.11': { advertised_ip: '198.19.1.1', port: 9011, port_id: 'p', success: true },
        '192.168.0.12': { advertised_ip: '198.19.1.2', port: 9011, port_id: 'q', success: false },
      }),
    },
    ways: { private: 'SASL_SSL 192.168.0.11:9093', vpcEndpoint: 'SASL_SSL 198.19.1.1:9011' },
  },
  {
    name: 'Huawei Cloud, plain text and SASL_SSL at once, endpoints in plain text',
    answer: {
      ...BASE,
      engine_version: '3.x',
      connect_address: at(9092),
      port: 9092,
      ssl_enable: false,
      kafka_security_protocol: 'PLAINTEXT',
      port_protocols: {
        private_plain_enable: true,
        private_plain_address: at(9092),
        private_sasl_ssl_enable: true,
        private_sasl_ssl_address: at(9093),
        private_sasl_plaintext_enable: false,
        public_plain_enable: false,
      },
      cross_vpc_info: crossVpc((_broker, index) => `198.19.1.${index + 1}`),
    },
    ways: {
      private: 'SASL_SSL 192.168.0.11:9093, PLAINTEXT 192.168.0.11:9092',
      vpcEndpoint: 'PLAINTEXT 198.19.1.1:9011',
    },
    says: /^ +192\.168\.0\.11:9092,.* in PLAINTEXT; kafka \(group-1\) lets in TCP 9092/m,
  },
  {
    name: 'Huawei Cloud, protocols of the public addresses apart from the private ones',
    answer: {
      ...BASE,
      connect_address: at(9092),
      ssl_enable: true,
      enable_publicip: true,
      public_connect_address: '119.3.1.1:9095,119.3.1.2:9095',
      port_protocols: {
        private_plain_enable: true,
        private_plain_address: '',
        public_sasl_plaintext_enable: true,
        public_sasl_plaintext_address: '119.3.1.1:9095,119.3.1.2:9095',
        public_plain_enable: true,
      },
    },
    ways: {
      private: 'PLAINTEXT 192.168.0.11:9092',
      public: 'SASL_PLAINTEXT 119.3.1.1:9095, PLAINTEXT 119.3.1.1:9094',
    },
  },
  {
    name: 'Huawei Cloud, IPv6',
    answer: {
      ...OTC_SASL,
      ipv6_enable: true,
      ipv6_connect_addresses: ['[2407:c080::11]:9192', '2407:c080::12'],
    },
    ways: {
      private: 'SASL_SSL 192.168.0.11:9093',
      privateIpv6: 'SASL_SSL [2407:c080::11]:9193',
    },
    says: /^over IPv6 +\[2407:c080::11\]:9193,\[2407:c080::12\]:9193 in SASL_SSL;/m,
  },
  {
    name: 'Huawei Cloud, domain names',
    answer: {
      ...BASE,
      dns_enable: true,
      ssl_enable: true,
      kafka_security_protocol: 'SASL_SSL',
      sasl_enabled_mechanisms: ['SCRAM-SHA-512'],
      port_protocols: {
        private_sasl_ssl_enable: true,
        private_sasl_ssl_domain_name: 'broker-1.kafka.example.com,broker-2.kafka.example.com',
      },
      cross_vpc_info: crossVpc((_broker, index) => `kafka-${index}.example.com`),
    },
    ways: {
      private: 'SASL_SSL broker-1.kafka.example.com:9093',
      vpcEndpoint: 'SASL_SSL kafka-0.example.com:9011',
    },
    says: /^security +SASL_SSL with SCRAM-SHA-512;/m,
  },
  {
    name: 'Huawei Cloud, two-way authentication, topics that are made when first used',
    answer: { ...OTC_SASL, ssl_two_way_enable: true, enable_auto_topic: true, access_user: 'owner' },
    ways: { private: 'SASL_SSL 192.168.0.11:9093' },
    says: /asks clients for a certificate of their own.*\n(.*\n)*users +owner\ntopics +none: made when first used$/m,
  },
  {
    name: 'an instance that is being made',
    answer: { ...BASE, status: 'CREATING', ssl_enable: true, cross_vpc_info: 'not JSON' },
    ways: {},
    says: /^same VPC +off: the instance is not ready yet$/m,
  },
];
