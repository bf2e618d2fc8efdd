import type { Wording } from './explanations.ts';
import type { WarningId } from './faults.ts';
import { portTable } from './probes/addresses.ts';

/** A cause and a remedy for each warning. */
export const warnings: Record<
  WarningId,
  (detail: string, dms: Wording) => { cause: string; remedy: string }
> = {
  DNS_PRIVATE: (detail) => ({
    cause: `The name resolves to private addresses (${detail}), which a client outside their network can't reach.`,
    remedy: "Use the instance's public address for access from outside, or put the function into the VPC.",
  }),
  CERT_EXPIRES_SOON: (detail, dms) => ({
    cause: `${detail}.`,
    remedy: `Renew it before then${dms("; where it is the instance's, download its certificate zip again and build with the new phy_ca.crt")}.`,
  }),
  UNDER_REPLICATED: (detail, dms) => ({
    cause: `${detail}.`,
    remedy: `Check the brokers that hold the missing replicas${dms(' (DMS console, monitoring)')}.`,
  }),
  THROTTLED: (detail, dms) => ({
    cause: `A quota slows this client down: ${detail}.`,
    remedy: `Raise the quota of the user or client${dms(' (DMS console, instance, quotas)')}, or publish less.`,
  }),
  CLOCK_SKEW: (detail) => ({
    cause: `${detail}.`,
    remedy:
      'Check time synchronisation (NTP) of the broker; timestamps, retention and certificates depend on it.',
  }),
  BOOTSTRAP_PARTIAL: (detail) => ({
    cause: `This bootstrap address does not work, though every broker does (${detail}).`,
    remedy: 'Remove or correct it in KAFKA_BOOTSTRAP_SERVERS: when the others fail, it will be missed.',
  }),
  DEAD_LETTER_TOPIC_MISSING: (detail) => ({
    cause: `The dead-letter topic is missing: ${detail}. A record that fails for good would fail its whole call.`,
    remedy: 'Create it, or set CONSUME_DEAD_LETTER_TOPIC to one that is there, or to none.',
  }),
  PORT_UNUSUAL: (detail) => ({
    cause: `${detail}; it works all the same.`,
    remedy: `Check that this is meant: DMS has Kafka on ${portTable}.`,
  }),
  GROUP_NOT_BEGUN: (detail) => ({
    cause: `${detail}.`,
    remedy: 'Check that the pull runs, with this KAFKA_GROUP_ID; or that CHECK_GROUP_ID is its group.',
  }),
  PASSWORD_IN_PLAIN: (detail) => {
    const isToken = /OAUTHBEARER/.test(detail);
    return {
      cause: `The ${isToken ? 'token' : 'password'} is sent as it is, without TLS (${detail}): whoever is on the way can read it.`,
      remedy: `Set KAFKA_SECURITY_PROTOCOL=SASL_SSL and its port; where the cluster has no TLS, KAFKA_SASL_MECHANISM=SCRAM-SHA-512, which never sends the password. ${isToken ? 'Who has a token may use it until it expires.' : 'Then change the password.'}`,
    };
  },
};
