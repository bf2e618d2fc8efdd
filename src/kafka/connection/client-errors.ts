import { Failure, toFailure } from '../../errors.ts';
import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import { AuthenticationRefused, RequestFailed } from './request-failed.ts';

/** Turns an error of the socket, TLS or SASL into a Failure without addresses. */
export function connectionFailure(error: unknown): Failure {
  const chain = causes(error);
  const known = chain.find((e) => e instanceof Failure);
  if (known) return known;
  if (chain.some((e) => e instanceof AuthenticationRefused)) {
    return new Failure('AUTHENTICATION_FAILED', authenticationSentence(chain), { cause: error });
  }
  if (chain.some((e) => e instanceof RequestFailed && e.timedOut)) {
    return new Failure('BROKER_UNREACHABLE', 'no broker answered in time', { cause: error });
  }
  const code = chain.map((e) => ('code' in e ? e.code : undefined)).find((c) => typeof c === 'string');
  if (code !== undefined && isClientCertificateAlert(code)) {
    const sentence = `the cluster wants a client certificate, and refused the function's own one or the lack of it (${code})`;
    return new Failure('AUTHENTICATION_FAILED', sentence, { cause: error });
  }
  const isOfConnection = code !== undefined || chain.some((e) => e instanceof RequestFailed);
  if (!isOfConnection) return toFailure(error);
  const reason = reasons[code ?? ''] ?? (isTlsCode(code) ? `TLS failed (${code})` : undefined);
  const sentence = `no broker could be reached: ${reason ?? 'the connection was closed'}`;
  return new Failure('BROKER_UNREACHABLE', sentence, { cause: error });
}

/** The Failure for a topic's error code in a Metadata response; undefined where nothing is wrong. */
export function metadataFailure(code: number, topic: string): Failure | undefined {
  switch (code) {
    case kafkaErrors.NONE:
    // The topic exists, but a partition has no leader. The partitions say which.
    case kafkaErrors.LEADER_NOT_AVAILABLE:
      return undefined;
    case kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION:
      return unknownTopic(topic);
    case kafkaErrors.TOPIC_AUTHORIZATION_FAILED:
      return new Failure('TOPIC_NOT_AUTHORIZED', `the cluster does not let this function see topic ${topic}`);
    case kafkaErrors.INVALID_TOPIC_EXCEPTION:
      return new Failure('INVALID_RECORD', `the cluster refuses ${topic} as a topic name`);
    default:
      return new Failure('BROKER_UNREACHABLE', `no metadata of topic ${topic}: ${kafkaErrorName(code)}`);
  }
}

export function unknownTopic(topic: string): Failure {
  return new Failure(
    'UNKNOWN_TOPIC',
    `topic ${topic} does not exist: create it, or correct its name. Topics are made with npm start -- --topics ${topic}, in the DMS console, else with kafka-topics.sh --create`,
  );
}

export function mayNotRead(topic: string): Failure {
  const sentence = `the cluster does not let this function read topic ${topic}: it needs Read on it`;
  return new Failure('TOPIC_NOT_AUTHORIZED', sentence);
}

const reasons: Record<string, string> = {
  ENOTFOUND: 'the host name of the bootstrap server does not resolve (ENOTFOUND)',
  EAI_AGAIN: 'the name server did not answer (EAI_AGAIN)',
  ECONNREFUSED: 'connection refused (ECONNREFUSED)',
  ECONNRESET: 'connection reset (ECONNRESET)',
  EPIPE: 'connection reset (EPIPE)',
  ERR_SASL_LOGIN: "the broker's part of the login makes no sense (ERR_SASL_LOGIN)",
  ETIMEDOUT: 'connection timed out (ETIMEDOUT)',
  EHOSTUNREACH: 'no route to the host (EHOSTUNREACH)',
  ENETUNREACH: 'no route to the network (ENETUNREACH)',
};

/** Whether a server's alert means that it wants a client certificate, or another one (RFC 8446, section 6.2). */
export function isClientCertificateAlert(code: string): boolean {
  return /ALERT_(BAD_CERTIFICATE|CERTIFICATE_(REQUIRED|UNKNOWN|EXPIRED|REVOKED)|NO_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|UNSUPPORTED_CERTIFICATE)/.test(
    code,
  );
}

function isTlsCode(code: unknown): boolean {
  return (
    typeof code === 'string' &&
    /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_)/.test(code)
  );
}

function authenticationSentence(chain: Error[]): string {
  const codes = chain.map((e) => ('code' in e ? e.code : undefined));
  if (codes.includes(kafkaErrors.UNSUPPORTED_SASL_MECHANISM)) {
    return 'the cluster does not offer this SASL mechanism (KAFKA_SASL_MECHANISM)';
  }
  if (codes.includes(kafkaErrors.ILLEGAL_SASL_STATE)) {
    return 'the cluster does not expect SASL at this address (KAFKA_SECURITY_PROTOCOL)';
  }
  return chain.some((e) => e instanceof AuthenticationRefused && e.token)
    ? "the cluster refused the function's token"
    : "the cluster refused the function's user name or password";
}

/** An error with its causes and the parts of an AggregateError (several addresses were tried). */
function causes(error: unknown): Error[] {
  const found: Error[] = [];
  const visit = (e: unknown) => {
    if (!(e instanceof Error) || found.includes(e) || found.length >= 20) return;
    found.push(e);
    visit(e.cause);
    if (e instanceof AggregateError) for (const part of e.errors) visit(part);
  };
  visit(error);
  return found;
}
