import { isIP, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { isClientCertificateAlert } from '../../../src/kafka/connection/client-errors.ts';
import { addressText } from '../../../src/variables.ts';
import { Broken, type Passed } from '../ladder/ladder.ts';
import { type Asking, type Endpoint, probeOf, question, standby } from '../ladder/run.ts';
import { type HandshakeFailure, optionsFor, shake } from '../probes/handshake.ts';
import { type Identity, identify, identifyTls, refusesOldTls } from '../probes/identify.ts';
import type { TlsReport } from '../report.ts';
import { expiryNotices, judge, tlsEvidence, tlsReport } from './certificate.ts';
import { clientCertificateFault } from './client-certificate.ts';

interface Secured {
  socket: TLSSocket;
  report: TlsReport;
}

/** With fewer bytes, the server can't have sent its certificate. */
const SERVER_HELLO_BYTES = 100;

/**
 * Encrypts a connection, reports everything about the certificate, and breaks where a client with these options
 * would. `onReport` gets the report in either case.
 */
export async function encrypt(
  raw: Socket,
  { address, ip }: Endpoint,
  run: Asking,
  onReport: (report: TlsReport) => void,
): Promise<Passed<Secured>> {
  const { host, port } = address;
  const options = run.options.tls ?? {};
  const handshake = shake(raw, optionsFor(host, options), run.deadline);
  const inPlain = standby(handshake, run, () => identify(ip, port, question(run)));
  const inSmall = standby(handshake, run, () => refusesOldTls(ip, port, question(run)));
  const result = await handshake;
  if (!(result instanceof TLSSocket)) {
    raw.destroy();
    throw await explain(result, { address, ip }, run, { inPlain, inSmall });
  }
  const report = tlsReport(result, host, options);
  onReport(report);
  try {
    judge(result, host, options);
  } catch (error) {
    result.destroy();
    throw error;
  }
  const notices = expiryNotices(report.chain, addressText(address));
  return {
    value: { socket: result, report },
    evidence: tlsEvidence(report, host),
    notices,
  };
}

async function explain(
  failure: HandshakeFailure,
  { address, ip }: Endpoint,
  run: Asking,
  { inPlain, inSmall }: { inPlain: () => Promise<Identity>; inSmall: () => Promise<boolean> },
): Promise<Broken> {
  const { how, code, bytesRead } = failure;
  if (isVersionAlert(code) || (isRefusal(code) && bytesRead < SERVER_HELLO_BYTES)) {
    return versionFault(code, { address, ip }, run);
  }
  if (isRefusal(code) || isClientCertificateAlert(code)) {
    return clientCertificateFault(`the server ended the handshake after its own certificate (${code})`, run);
  }
  const plain = await inPlain();
  const probes = [probeOf({ ip, port: address.port, how: 'without TLS' }, plain)];
  const evidence = `${words[how]} (${code}); without TLS the port answers: ${plain.text}`;
  switch (plain.language) {
    case 'kafka':
      return new Broken('TLS_TO_PLAIN', evidence, { probes });
    case 'ssh':
      return new Broken('NOT_KAFKA_SSH', evidence, { probes });
    case 'smtp':
      return new Broken('NOT_KAFKA_SMTP', evidence, { probes });
    case 'http':
    case 'unknown':
      return new Broken('NOT_TLS', evidence, { probes });
    default:
  }
  // It speaks TLS, and small answers arrive. Only the certificate, which is large, doesn't.
  if (how === 'silent' && (plain.language === 'tls' || (await inSmall()))) {
    return new Broken('MTU_BLACKHOLE', `${evidence}; it refuses an old TLS version at once`, { probes });
  }
  const fault = {
    alert: 'NOT_TLS',
    closed: 'TCP_ACCEPT_CLOSE',
    reset: 'TCP_RESET',
    silent: 'TCP_SILENT',
  } as const;
  return new Broken(fault[how], evidence, { probes });
}

async function versionFault(code: string, { address, ip }: Endpoint, run: Asking): Promise<Broken> {
  const servername = isIP(address.host) ? undefined : address.host;
  const any = await identifyTls(ip, address.port, { ...question(run), servername });
  const probes = [probeOf({ ip, port: address.port, how: 'any TLS version' }, any)];
  return new Broken('TLS_VERSION', `${code}; a client that takes any version gets: ${any.text}`, { probes });
}

/** Alerts that mean that no version or no cipher is common (RFC 8446, section 6). */
function isVersionAlert(code: string): boolean {
  return /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE|INAPPROPRIATE_FALLBACK|NO_SHARED_CIPHER|INSUFFICIENT_SECURITY/.test(
    code,
  );
}

function isRefusal(code: string): boolean {
  return /ALERT_HANDSHAKE_FAILURE/.test(code);
}

const words = {
  alert: 'no TLS handshake',
  closed: 'the connection was closed in the handshake',
  reset: 'the connection was reset in the handshake',
  silent: 'no answer to the TLS handshake',
} as const;
