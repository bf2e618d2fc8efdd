import { isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { isClientCertificateAlert } from '../../../src/kafka/connection/client-errors.ts';
import {
  type ApiVersion,
  apiVersionsRequest,
  readApiVersions,
} from '../../../src/kafka/wire/api-versions.ts';
import { requestFrame } from '../../../src/kafka/wire/request.ts';
import { Broken, type Passed } from '../ladder/ladder.ts';
import { type Asking, type Endpoint, probeOf, question, standby } from '../ladder/run.ts';
import { type Answer, exchange, languageOf, quote } from '../probes/answer.ts';
import { type Identity, identifyTls } from '../probes/identify.ts';
import { clientCertificateFault } from './client-certificate.ts';

const METADATA = 3;
const CORRELATION_ID = 1_263_948_354;

/** Finds out whether it is Kafka at all. ApiVersions needs no login, and any answer is judged. */
export async function askApiVersions(
  socket: Socket | TLSSocket,
  endpoint: Endpoint,
  run: Asking,
): Promise<Passed<ApiVersion[]>> {
  const isEncrypted = run.options.tls !== undefined;
  const { address, ip } = endpoint;
  const servername = isIP(address.host) ? undefined : address.host;
  const request = requestFrame(apiVersionsRequest(), CORRELATION_ID, run.options.clientId);
  const asked = exchange(socket, request, run.deadline);
  const inTls = standby(asked, run, () => identifyTls(ip, address.port, { ...question(run), servername }));
  const answer = await asked;
  if (answer.kind !== 'kafka') {
    throw isEncrypted ? insideTls(answer, run) : await withoutTls(answer, endpoint, inTls);
  }
  const versions = readApiVersions(answer.body);
  if (!versions) throw new Broken('NOT_KAFKA', `no answer to ApiVersions: ${quote(answer.body)}`);
  if (!versions.some(({ apiKey }) => apiKey === METADATA)) {
    throw new Broken(
      'KRAFT_CONTROLLER',
      `speaks Kafka, but not Metadata: ${versions.length} APIs of a controller`,
    );
  }
  return { value: versions, evidence: `${versions.length} APIs` };
}

type NoKafka = Exclude<Answer, { kind: 'kafka' }>;

function insideTls(answer: NoKafka, run: Asking): Broken {
  if (answer.kind === 'foreign') return foreign(answer.bytes);
  if (answer.kind === 'failed' && isClientCertificateAlert(answer.code)) {
    return clientCertificateFault(
      `the server ended the connection after the handshake (${answer.code})`,
      run,
    );
  }
  const reason = {
    closed: 'the connection was closed',
    failed: `the connection failed${answer.kind === 'failed' ? ` (${answer.code})` : ''}`,
    silent: 'nothing came',
  };
  return new Broken('NOT_KAFKA', `TLS holds, but on ApiVersions ${reason[answer.kind]}`);
}

async function withoutTls(
  answer: NoKafka,
  { address, ip }: Endpoint,
  inTls: () => Promise<Identity>,
): Promise<Broken> {
  if (answer.kind === 'foreign') return foreign(answer.bytes);
  const identity = await inTls();
  const probes = [probeOf({ ip, port: address.port, how: 'with TLS' }, identity)];
  const what = {
    closed: 'the connection was accepted and closed without a byte',
    failed: `the connection was accepted and reset${answer.kind === 'failed' ? ` (${answer.code})` : ''}`,
    silent: 'the connection was accepted and not one byte came',
  };
  const evidence = `${what[answer.kind]}; with TLS the port answers: ${identity.text}`;
  if (identity.language === 'tls') return new Broken('PLAIN_TO_TLS', evidence, { probes });
  const fault = { closed: 'TCP_ACCEPT_CLOSE', failed: 'TCP_RESET', silent: 'TCP_SILENT' } as const;
  return new Broken(fault[answer.kind], evidence, { probes });
}

function foreign(bytes: Buffer): Broken {
  const faults = {
    tls: 'PLAIN_TO_TLS',
    http: 'NOT_KAFKA_HTTP',
    ssh: 'NOT_KAFKA_SSH',
    smtp: 'NOT_KAFKA_SMTP',
    unknown: 'NOT_KAFKA',
  } as const;
  const language = languageOf(bytes);
  const what =
    language === 'tls'
      ? `a TLS record, ${bytes.length} bytes: ${bytes.subarray(0, 7).toString('hex')}`
      : quote(bytes);
  return new Broken(faults[language], `ApiVersions was answered with ${what}`);
}
