import { saslMechanisms } from '../../src/kafka/connection/config.ts';
import { addressText } from '../../src/variables.ts';
import { baseOf, type Fault, stageOf } from './faults.ts';
import type { Findings } from './findings.ts';
import { accessModeOf, isPrivate, ownAddresses, portTable } from './probes/addresses.ts';
import type { Probe } from './report.ts';

/** The facts that an explanation may use. */
export interface Case {
  /** `host:port`, or the topic, partition or group with the fault. */
  target: string;
  host: string;
  port: number;
  ips: readonly string[];
  evidence: string;
  probes: readonly Probe[];
  findings: Findings;
  dms: Wording;
}

/** Returns the first words for a cluster that may be DMS for Kafka, else the others. */
export type Wording = (dms: string, other?: string) => string;

type Explanation = (c: Case) => { cause: string; remedy: string };

/** A cause and a remedy for each fault. */
export const explanations: Record<Fault, Explanation> = {
  CONFIG_INVALID: ({ evidence }) => ({
    cause: evidence,
    remedy: 'Correct the named environment variables of the function (README, table of variables).',
  }),
  DNS_NXDOMAIN: ({ host }) => ({
    cause: `The name ${host} does not exist (NXDOMAIN).`,
    remedy:
      'Correct KAFKA_BOOTSTRAP_SERVERS, or add the record to the private DNS zone and associate that zone with the VPC of the function.',
  }),
  DNS_NODATA: ({ host }) => ({
    cause: `The name ${host} exists, but has neither an A nor an AAAA record.`,
    remedy: `Add an A record with the broker's address to the DNS zone, or use the broker's IP address.`,
  }),
  DNS_SERVFAIL: ({ host, evidence }) => ({
    cause: `The name server refuses or fails to resolve ${host} (${evidence}).`,
    remedy:
      "Check the DNS servers of the function's subnet and the private zone's delegation; the instance's IP addresses work without DNS.",
  }),
  DNS_TIMEOUT: ({ host }) => ({
    cause: `The name server did not answer for ${host}.`,
    remedy:
      "Allow outbound UDP and TCP 53 from the function's subnet to its DNS servers, or set the subnet's DNS servers to the cloud's own.",
  }),
  DNS_NO_RESOLVER: ({ host }) => ({
    cause: `Nothing listens at the configured name server; ${host} can't be resolved.`,
    remedy:
      "Set the DNS servers of the function's subnet (VPC, subnet, DNS server address) to the cloud's own.",
  }),
  TCP_REFUSED: (c) =>
    brokerAlone(c, `${c.target} is reached, but nothing listens there`) ?? {
      cause:
        `${c.target} is reached, but nothing listens on port ${c.port}: a wrong port, or the broker is down. ${answeringSibling(c) ? siblingSentence(c) : ''}`.trim(),
      remedy: answeringSibling(c)
        ? `Use the port that fits KAFKA_SECURITY_PROTOCOL${c.dms(` (${portTable}), or turn that access on for the instance`)}.`
        : c.dms(
            `Check in the DMS console that the instance runs and which address and port its access has (${portTable}).`,
            'Check that the broker runs, and which address and port its listener has.',
          ),
    },
  TCP_TIMEOUT: (c) =>
    brokerAlone(c, `No answer from ${c.target}: the packets are dropped on the way`) ?? {
      cause:
        `No answer from ${c.target}: the packets are dropped on the way. ${siblingSentence(c)} ${differential(c)}`.trim(),
      remedy: openPort(c),
    },
  TCP_UNREACHABLE: (c) =>
    brokerAlone(c, `The network says that ${c.target} can't be reached (${c.evidence})`) ?? {
      cause: `The network says that ${c.target} can't be reached (${c.evidence}): a firewall or a route rejects it, or no such host is in the subnet.`,
      remedy: `Check that ${c.host} is the instance's address, and the route tables and network ACLs between the subnets. ${openPort(c)}`,
    },
  TCP_NO_ROUTE: (c) => ({
    cause: `This function has no route to ${c.target} (${c.evidence}).`,
    remedy: isPrivate(c.ips[0] ?? c.host)
      ? 'Give the function access to the VPC of the instance (function configuration, network), or add the VPC peering routes in both route tables.'
      : 'Give the subnet of the function a NAT gateway with an SNAT rule, or let the function use public network access.',
  }),
  TCP_RESET: (c) => ({
    cause: `${c.target} accepts the connection and resets it (${c.evidence}): a load balancer or VPC endpoint without a healthy backend, or a broker that is going down.`,
    remedy:
      'Check that the instance and the backends behind this address run; for a VPC endpoint, that its endpoint service points to port 9011 of this broker.',
  }),
  TCP_ACCEPT_CLOSE: (c) => ({
    cause: `${c.target} accepts the connection and closes it at once (${c.evidence}): a load balancer without a backend, or the broker's connection limit${c.dms(' (1,000 for each client address)')}.`,
    remedy:
      'Check the backends behind this address, and the number of connections of this client to the broker (max.connections.per.ip).',
  }),
  TCP_SILENT: (c) => ({
    cause: `${c.target} accepts the connection, and then says nothing (${c.evidence}): a broker that hangs, or something else that listens there.`,
    remedy: `Check the broker's load and state${c.dms(' in the DMS console')}, and that ${c.target} is its address; restart the broker if it hangs.`,
  }),
  ADDRESS_NOT_ALLOWED: (c) => ({
    cause: `${c.target} was not dialled: ${c.evidence}.`,
    remedy: 'Add its network to CHECK_ALLOWED_ADDRESSES if it is right that the cluster points there.',
  }),
  MTU_BLACKHOLE: (c) => ({
    cause: `Small packets to and from ${c.target} pass, large ones get lost (${c.evidence}): a smaller MTU on the way, without the ICMP that would say so.`,
    remedy:
      "Let ICMP 'fragmentation needed' (type 3, code 4) through the firewalls, or lower the MTU, or clamp the MSS, on the VPN or peering in between.",
  }),
  PLAIN_TO_TLS: (c) => ({
    cause: `${c.target} speaks TLS, and this function speaks without (KAFKA_SECURITY_PROTOCOL=${c.findings.run.connection.securityProtocol}).`,
    remedy: `Set KAFKA_SECURITY_PROTOCOL to ${c.findings.run.options.sasl ? 'SASL_SSL' : 'SASL_SSL (or SSL where the cluster has no users)'}, or use a plaintext port${c.dms(` of the instance (${portTable})`)}.`,
  }),
  TLS_TO_PLAIN: (c) => ({
    cause: `${c.target} is Kafka without TLS, and this function wants TLS (KAFKA_SECURITY_PROTOCOL=${c.findings.run.connection.securityProtocol}).`,
    remedy: /with SASL/.test(c.evidence)
      ? `Set KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT, or ${c.dms("change the instance's security protocol to SASL_SSL (DMS console, ciphertext access)", 'use a listener with SASL_SSL')}.`
      : `Use the port with ${c.dms(`ciphertext access (${portTable})`, 'TLS')}, or set KAFKA_SECURITY_PROTOCOL=PLAINTEXT.`,
  }),
  NOT_TLS: (c) => ({
    cause: `${c.target} does not speak TLS (${c.evidence}).`,
    remedy: `Check the address and port in KAFKA_BOOTSTRAP_SERVERS${c.dms(`: DMS has Kafka on ${portTable}`)}.`,
  }),
  TLS_VERSION: (c) => ({
    cause: `${c.target} and this function have no TLS version or cipher in common (${c.evidence}).`,
    remedy: /PROTOCOL|FALLBACK|\(TLSv1(\.1)?\)/.test(c.evidence)
      ? 'Let the broker offer TLS 1.2 or newer (ssl.enabled.protocols); this function takes nothing older.'
      : 'Let the broker offer a cipher suite of today (ssl.cipher.suites), and a key that fits it.',
  }),
  CA_UNTRUSTED: (c) => ({
    cause: `The certificate of ${c.target} was issued by an authority that this function does not trust (${c.evidence}).`,
    remedy: c.dms(
      "Put phy_ca.crt (or client.jks) from the instance's certificate zip into certificates/ and build again, or set KAFKA_SSL_CA_PEM; kafka-certs.zip and kafka-cert-otc.zip are not interchangeable.",
      "Put the certificate of the cluster's authority into certificates/ and build again, or set KAFKA_SSL_CA_PEM.",
    ),
  }),
  CHAIN_INCOMPLETE: (c) => ({
    cause: `${c.target} sends its certificate without the intermediate one that issued it (${c.evidence}).`,
    remedy: "Add the intermediate certificate to the broker's keystore, or to KAFKA_SSL_CA_PEM here.",
  }),
  SELF_SIGNED: (c) => ({
    cause: `${c.target} shows a certificate that it signed itself (${c.evidence}).`,
    remedy:
      'Give the broker a certificate of an authority; or, if this one is right, trust it itself with KAFKA_SSL_CA_PEM.',
  }),
  HOST_MISMATCH: (c) => ({
    cause: `The certificate of ${c.target} does not name the host that was dialled: ${c.evidence}.`,
    remedy: c.dms(
      "DMS's certificates do not name the brokers' addresses: set KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM to none (the chain is verified all the same).",
      'Use a name that the certificate has, or add this one to its subject alternative names; KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM=none verifies the chain alone.',
    ),
  }),
  CERT_EXPIRED: (c) => ({
    cause: `The certificate chain of ${c.target} has expired: ${c.evidence}.`,
    remedy: `Renew the certificate${c.dms("; where it is the instance's, download its certificate zip again and build with the new phy_ca.crt")}.`,
  }),
  CERT_NOT_YET_VALID: (c) => ({
    cause: `The certificate chain of ${c.target} is not valid yet: ${c.evidence}.`,
    remedy: 'Wait until it is, or correct the clock of whichever side is wrong.',
  }),
  CERT_PURPOSE: (c) => ({
    cause: `The certificate chain of ${c.target} is not made for this: ${c.evidence}.`,
    remedy:
      'Give the broker a certificate for servers (extended key usage serverAuth), issued by an authority.',
  }),
  CERT_WEAK: (c) => ({
    cause: `The certificate chain of ${c.target} is too weak to be trusted: ${c.evidence}.`,
    remedy: 'Issue it anew with SHA-256 or better, and a key of 2,048 bits (RSA) or 256 bits (EC).',
  }),
  ROOT_MISSING: (c) => ({
    cause: `An intermediate authority alone is trusted for ${c.target}: ${c.evidence}.`,
    remedy: 'Put the root that issued it into certificates/ and build again, or add it to KAFKA_SSL_CA_PEM.',
  }),
  MTLS_REQUIRED: (c) => ({
    cause: `${c.target} asks for a client certificate, which this function does not have (${c.evidence}).`,
    remedy: `Set KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN and KAFKA_SSL_KEYSTORE_KEY, or use a listener with SASL${c.dms(' (SASL_SSL with user and password)')}, or turn ssl.client.auth off on this one.`,
  }),
  MTLS_REFUSED: (c) => ({
    cause: `${c.target} refuses the client certificate of this function (${c.evidence}).`,
    remedy: clientCertificateRemedy(c),
  }),
  NOT_KAFKA_HTTP: (c) => notKafka(c, 'an HTTP server'),
  NOT_KAFKA_SSH: (c) => notKafka(c, 'an SSH server'),
  NOT_KAFKA_SMTP: (c) => notKafka(c, 'a mail server'),
  NOT_KAFKA: (c) => notKafka(c, 'something that is not Kafka'),
  KRAFT_CONTROLLER: (c) => ({
    cause: `${c.target} is a KRaft controller: it speaks Kafka, but serves no clients (${c.evidence}).`,
    remedy:
      'Name the address of a broker listener in KAFKA_BOOTSTRAP_SERVERS, not one of controller.listener.names.',
  }),
  SASL_MISSING: (c) => ({
    cause: `${c.target} wants a login, and this function has none (KAFKA_SECURITY_PROTOCOL=${c.findings.run.connection.securityProtocol}; ${c.evidence}).`,
    remedy: `Set KAFKA_SECURITY_PROTOCOL=${c.findings.run.options.tls ? 'SASL_SSL' : 'SASL_PLAINTEXT'}, KAFKA_SASL_MECHANISM, ${/SASL OAUTHBEARER$/.test(c.evidence) ? 'and KAFKA_SASL_OAUTHBEARER_… for a token' : 'KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD'}.`,
  }),
  SASL_NOT_ENABLED: (c) => ({
    cause: `${c.target} takes no login, and this function wants one (KAFKA_SECURITY_PROTOCOL=${c.findings.run.connection.securityProtocol}).`,
    remedy: `Set KAFKA_SECURITY_PROTOCOL=${c.findings.run.options.tls ? 'SSL' : 'PLAINTEXT'}, or use ${c.dms(`the port with ciphertext access (${portTable})`, 'a listener with SASL')}.`,
  }),
  SASL_MECHANISM: (c) => ({
    cause: `${c.evidence} (${c.target}).`,
    remedy: mechanismRemedy(c),
  }),
  SASL_BAD_CREDENTIALS: (c) =>
    c.findings.run.options.sasl?.mechanism === 'OAUTHBEARER'
      ? {
          cause: `${c.target} refuses the token that the authorization server gives (${c.evidence}).`,
          remedy:
            'Compare its issuer and audience with sasl.oauthbearer.expected.issuer and .audience of the listener, its key with sasl.oauthbearer.jwks.endpoint.url there, and the clocks; KAFKA_SASL_OAUTHBEARER_SCOPE may decide on the audience.',
        }
      : {
          cause: `${c.target} refuses the user name or the password; Kafka hides which of the two is wrong (${c.evidence}).`,
          remedy: `Check KAFKA_SASL_USERNAME and reset its password${c.dms(' in the DMS console (instance, users)')}, then store it in KAFKA_SASL_PASSWORD (encrypted); a user made for SCRAM may lack PLAIN.`,
        },
  OAUTH_DNS: (c) => ({
    cause: `The name of the token endpoint, ${c.target}, can't be resolved (${c.evidence}).`,
    remedy:
      'Correct KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, or add its record to the DNS zone of the VPC.',
  }),
  OAUTH_TCP: (c) => ({
    cause: `The token endpoint at ${c.target} can't be reached, or gives no answer (${c.evidence}).`,
    remedy: /CHECK_ALLOWED_ADDRESSES/.test(c.evidence)
      ? 'Add its network to CHECK_ALLOWED_ADDRESSES if it is right that the function gets its tokens there.'
      : 'Check that it runs, the port in KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, and the way there: a public address needs a NAT gateway with an SNAT rule for the subnet of the function.',
  }),
  OAUTH_TLS: (c) => ({
    cause: `The connection to the token endpoint at ${c.target} can't be encrypted and proven (${c.evidence}).`,
    remedy:
      'Use the name in its certificate. An authority of your own has to be among those for the brokers (certificates/, or KAFKA_SSL_CA_PEM), which are trusted besides the public ones.',
  }),
  OAUTH_REFUSED: (c) => ({
    cause: `The token endpoint at ${c.target} gives no token (${c.evidence}).`,
    remedy: tokenRemedy(c),
  }),
  BROKER_DOWN: (c) => ({
    cause: `The cluster gives no address for ${c.evidence}. It is down, or has no listener of this kind.${silentBootstraps(c)}`,
    remedy: `Start ${c.target} again, or look${c.dms(' in the DMS console (instance, brokers)')} why it doesn't run. If it was removed for good, move its replicas to the others (kafka-reassign-partitions).`,
  }),
  TOPIC_MISSING: (c) => ({
    cause: `Topic ${c.target} does not exist (${c.evidence}).`,
    remedy: `Create topic ${c.target}${c.dms(' in the DMS console (instance, topics)')}, or correct CHECK_TOPIC.`,
  }),
  TOPIC_INVALID: (c) => ({
    cause: `The cluster refuses ${c.target} as a topic name (${c.evidence}).`,
    remedy: 'Correct CHECK_TOPIC: 1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-".',
  }),
  ACL_TOPIC_DESCRIBE: (c) => ({
    cause: `The user may not see topic ${c.target}, or it does not exist: Kafka hides which.`,
    remedy: `Grant the user access to topic ${c.target}${c.dms(' in the DMS console (topic, user permissions), or', ':')} kafka-acls --add --operation Describe --topic ${c.target}; if that doesn't help, create it.`,
  }),
  ACL_TOPIC_WRITE: (c) => ({
    cause: `The user may not publish to topic ${c.target} (${c.evidence}).`,
    remedy: `Grant the user publishing on topic ${c.target}${c.dms(' in the DMS console (topic, user permissions: publish), or', ':')} kafka-acls --add --operation Write --topic ${c.target}.`,
  }),
  ACL_TOPIC_READ: (c) => ({
    cause: `The user may not read topic ${c.target} (${c.evidence}).`,
    remedy: `Grant the user subscribing on topic ${c.target}${c.dms(' in the DMS console (topic, user permissions: subscribe), or', ':')} kafka-acls --add --operation Read --topic ${c.target}.`,
  }),
  ACL_GROUP: (c) => ({
    cause: `The user may not use consumer group ${c.target} (${c.evidence}).`,
    remedy: `Grant the user consumer group ${c.target}: kafka-acls --add --operation Read --group ${c.target}${c.dms(' (in DMS: create the group, and give the user subscribe permission on its topics)')}.`,
  }),
  ACL_CLUSTER: (c) => ({
    cause: `The user may not publish idempotently (${c.evidence}).`,
    remedy:
      'Grant IdempotentWrite on the cluster (kafka-acls --add --operation IdempotentWrite --cluster), or Write on a topic from Kafka 2.8 on, or leave KAFKA_ENABLE_IDEMPOTENCE unset.',
  }),
  NO_LEADER: (c) => ({
    cause: `Partition ${c.target} has no leader (${c.evidence}): the brokers that hold it are down.`,
    remedy: `Start the brokers that hold its replicas${c.dms(' (DMS console, instance, brokers)')}, and give the topic more than one replica.`,
  }),
  NOT_ENOUGH_REPLICAS: (c) => ({
    cause: `${c.target} has fewer replicas in sync than acks=all needs (${c.evidence}).`,
    remedy:
      'Bring the missing brokers back; min.insync.replicas of the topic has to be below its number of replicas.',
  }),
  MESSAGE_TOO_LARGE: (c) => ({
    cause: `Topic ${c.target} refuses even a small record as too large (${c.evidence}).`,
    remedy: `Raise max.message.bytes of topic ${c.target}.`,
  }),
  ROUND_TRIP_LOST: (c) => ({
    cause: `The record published to ${c.target} can't be read back (${c.evidence}).`,
    remedy:
      'Check the log of the broker that leads this partition, and retention.ms, cleanup.policy and message.timestamp settings of the topic.',
  }),
  ROUND_TRIP_TIMEOUT: (c) => ({
    cause: `The round trip over ${c.target} did not come to its end in time (${c.evidence}).`,
    remedy:
      "Check the load and disks of the partition's leader and its followers; CHECK_TIMEOUT_MS is the time a check has.",
  }),
  SINK_DNS: (c) => ({
    cause: `The name in CONSUME_SINK_URL, ${c.target}, can't be resolved (${c.evidence}).`,
    remedy: 'Correct the host in CONSUME_SINK_URL, or add its record to the DNS zone of the VPC.',
  }),
  SINK_TCP: (c) => ({
    cause: `The sink at ${c.target} can't be reached, or did not answer as it should (${c.evidence}).`,
    remedy:
      'Check that it runs, its port in CONSUME_SINK_URL, and that its security group admits the subnet of the function.',
  }),
  SINK_TLS: (c) => ({
    cause: `The connection to the sink at ${c.target} can't be encrypted and proven (${c.evidence}).`,
    remedy:
      'Use the name in its certificate, or turn TLS on there; for a database, give its authority in CONSUME_SINK_SSL_CA_PEM.',
  }),
  SINK_LOGIN: (c) => ({
    cause: `The sink at ${c.target} refuses the login (${c.evidence}).`,
    remedy:
      'Database: correct CONSUME_SINK_CONNECTION_USER and CONSUME_SINK_CONNECTION_PASSWORD; pg_hba.conf must admit the function. Store: correct the access key, or leave it to the agency of the function.',
  }),
  SINK_FORBIDDEN: (c) => ({
    cause: `The user of the sink may not do what it has to on ${c.target} (${c.evidence}).`,
    remedy:
      'Grant CONSUME_SINK_CONNECTION_USER the privileges that docs/postgres.md lists; allow the key of a store PutObject.',
  }),
  SINK_MISSING: (c) => ({
    cause: `What consume-batch writes to is not there: ${c.evidence}.`,
    remedy:
      'Run what npm run sink -- ddl prints, in the database that CONSUME_SINK_URL names; create the bucket, or correct CONSUME_SINK_S3_BUCKET_NAME.',
  }),
  SINK_MISMATCH: (c) => ({
    cause: `What consume-batch writes to is not as it needs it: ${c.evidence}.`,
    remedy:
      'Alter the table as npm run sink -- ddl prints it, or correct CONSUME_SINK_INSERT_MODE and CONSUME_SINK_PK_FIELDS; for a store, correct CONSUME_SINK_S3_REGION.',
  }),
};

function notKafka({ target, evidence, dms }: Case, what: string): { cause: string; remedy: string } {
  return {
    cause: `${what[0]?.toUpperCase()}${what.slice(1)} answers at ${target} (${evidence}).`,
    remedy: `Check the address and port in KAFKA_BOOTSTRAP_SERVERS${dms(`: DMS has Kafka on ${portTable}`)}.`,
  };
}

function clientCertificateRemedy({ evidence }: Case): string {
  if (/which expired on/.test(evidence)) {
    return 'Renew it: set KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN, and KAFKA_SSL_KEYSTORE_KEY where its key is new.';
  }
  if (/which is valid from/.test(evidence)) {
    return 'Wait until it is valid, or correct the clock of whichever side is wrong.';
  }
  if (/which is not for clients/.test(evidence)) {
    return 'Issue it anew for clients (extended key usage clientAuth), and set KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN.';
  }
  return "Let the listener trust its authority (the broker's ssl.truststore), or take a certificate of one that it trusts; certificates of intermediate authorities belong into KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN, behind the function's own.";
}

/** By the error codes of RFC 6749, section 5.2, and the status. */
function tokenRemedy({ evidence }: Case): string {
  if (/invalid_scope/.test(evidence)) {
    return 'Correct KAFKA_SASL_OAUTHBEARER_SCOPE, or allow the client this scope at the authorization server.';
  }
  if (/unauthorized_client|unsupported_grant_type/.test(evidence)) {
    return 'Allow the client the client-credentials grant at the authorization server (a service account).';
  }
  if (/answers 5\d\d/.test(evidence)) return 'Look at the authorization server, which is not well.';
  if (/answers 4(08|25|29)/.test(evidence)) {
    return 'Wait, and ask the authorization server for less: it limits how often tokens are given.';
  }
  if (/invalid_client|answers 401/.test(evidence)) {
    return 'Correct KAFKA_SASL_OAUTHBEARER_CLIENT_ID and KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET (encrypted).';
  }
  if (/answers 40[03], (invalid_request|access_denied)/.test(evidence)) {
    return 'Set KAFKA_SASL_OAUTHBEARER_SCOPE as the authorization server wants it. Other parameters, such as an audience, are not sent: give the client a default there.';
  }
  return 'Correct KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: it is token_endpoint in what the server has at /.well-known/openid-configuration.';
}

/** Names the mechanisms that both the broker and this function speak. */
function mechanismRemedy({ evidence, dms }: Case): string {
  const offered = /it offers (.*)$/.exec(evidence)?.[1]?.split(', ') ?? [];
  const spoken = saslMechanisms.filter((mechanism) => offered.includes(mechanism));
  const hint = dms(' (PLAIN is optional on DMS, SCRAM-SHA-512 always on)');
  return spoken.length > 0
    ? `Set KAFKA_SASL_MECHANISM=${spoken.join(' or ')}, or enable the mechanism on the brokers${hint}.`
    : `Enable one of ${saslMechanisms.join(', ')} on the brokers (sasl.enabled.mechanisms)${hint}: this function speaks no other.`;
}

/** The rule or route that opens this port, by the port's access mode. */
function openPort({ port, host, ips }: Case): string {
  const from = ownAddresses().slice(0, 3).join(' or ') || 'the subnet of this function';
  const rule = `In the security group of the instance allow inbound TCP ${port} from ${from}`;
  switch (accessModeOf(port)) {
    case 'public':
      return `Turn public access on for the instance, and in its security group allow inbound TCP ${port} from the public (SNAT) address of this function.`;
    case 'vpc-endpoint':
      return `${rule}, or 198.19.128.0/17 for a VPC endpoint, and check that the endpoint is accepted by its service.`;
    default:
      return (ips.length > 0 ? ips : [host]).some(isPrivate)
        ? `${rule}; from another VPC also the VPC peering routes on both sides, or a VPC endpoint (port 9011).`
        : `${rule}.`;
  }
}

/** Where other addresses of the cluster answer, the port and its rules are right: one broker is down. */
function brokerAlone(
  { target, findings, dms }: Case,
  what: string,
): { cause: string; remedy: string } | undefined {
  const others = [...findings.bootstraps, ...findings.brokers].filter(({ reached }) => reached);
  const answering = new Set(others.map(({ address }) => addressText(address)));
  answering.delete(target);
  if (answering.size === 0) return undefined;
  return {
    cause: `${what}, while ${[...answering].join(', ')} ${answering.size === 1 ? 'answers' : 'answer'}: this broker, or its host, is down.`,
    remedy: `Look${dms(' in the DMS console (instance, brokers)')} whether the broker at ${target} runs, and start it; if it does, check the way from this function to this one address.`,
  };
}

/** A dead configured address should stay in the list until its broker is back. */
function silentBootstraps({ findings }: Case): string {
  const silent = findings.bootstraps.filter(
    ({ ladder }) => ladder.broken && stageOf(ladder.broken.fault) === 'tcp',
  );
  const names = silent.map(({ address }) => addressText(address)).join(', ');
  return silent.length === 0
    ? ''
    : ` ${names} in KAFKA_BOOTSTRAP_SERVERS doesn't answer and may be its address: leave it there.`;
}

function answeringSibling({ probes }: Case): Probe | undefined {
  return probes.find(({ answer }) => /Kafka|^TLS/.test(answer));
}

/** What the other ports of the same host prove. */
function siblingSentence(c: Case): string {
  if (c.probes.length === 0) return '';
  const answering = answeringSibling(c);
  if (answering)
    return `${answering.address} answers (${answering.answer}): the host is reached, this port is not.`;
  const refused = c.probes.some(({ answer }) => answer === 'refused');
  return refused
    ? 'Other ports of the host are refused: the host is reached, this port is not.'
    : "None of Kafka's other ports answers there either.";
}

/** What the other addresses prove. */
function differential({ findings }: Case): string {
  const { bootstraps, brokers } = findings;
  const all = [...bootstraps, ...brokers];
  if (all.length < 2) return '';
  const dead = all.filter(({ ladder }) => ladder.broken && baseOf(ladder.broken.fault) === 'TCP_TIMEOUT');
  return dead.length === all.length
    ? `None of the ${all.length} addresses answers: the network between, not one broker.`
    : `${all.length - dead.length} of ${all.length} addresses answer: the network is there, this address is not.`;
}
