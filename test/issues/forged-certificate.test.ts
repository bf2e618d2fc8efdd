/**
 * Found 2026-11-27 (A1): a leaf signed by a stranger's key passed the check's TLS where its date was odd, and
 * the password was sent to whoever showed it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stages } from '../../functions/connectivity-check/faults.ts';
import { int16, int32, string } from '../../local/kafka/wire.ts';
import { Secret } from '../../src/secret.ts';
import { checkWith } from '../support/check.ts';
import {
  METADATA,
  oneBroker,
  SASL_AUTHENTICATE,
  SASL_HANDSHAKE,
  type SketchBroker,
  startSketchBroker,
} from '../support/faults/sketch-broker.ts';
import { newProducer } from '../support/producer.ts';
import { type Authority, type KeyKind, leafOf, newAuthority } from './forged-leaf.ts';

const LONG_AGO = '19700101000000Z';
const LATER = '20991231235959Z';
const twoDigits = (year: number) => `00${String(year).padStart(2, '0')}0615120000Z`;

/** Validities whose years are easily read as others: UTCTime has two digits, and OpenSSL prints 0049 as 49. */
const validities: { notBefore: string; notAfter: string }[] = [
  ...[...Array(50).keys()].map((year) => ({ notBefore: LONG_AGO, notAfter: twoDigits(year) })),
  ...[0, 1, 27, 49].map((year) => ({ notBefore: twoDigits(year), notAfter: LATER })),
  ...['1949', '1950', '2049', '9999'].flatMap((year) => [
    { notBefore: LONG_AGO, notAfter: `${year}0615120000Z` },
    { notBefore: `${year}0615120000Z`, notAfter: LATER },
  ]),
];

/** A broker that lets everybody in and wants to be believed. */
function startRogue(key: string, chain: string): Promise<SketchBroker> {
  return startSketchBroker({
    tls: { key, cert: chain },
    answers: {
      [METADATA]: () => oneBroker({ host: '127.0.0.1', port: 1 }),
      [SASL_HANDSHAKE]: () => Buffer.concat([int16(0), int32(1), string('PLAIN')]),
      [SASL_AUTHENTICATE]: () => Buffer.concat([int16(0), string(null), int32(0), Buffer.alloc(8)]),
    },
  });
}

async function assertRefused(rogue: SketchBroker, ca: string): Promise<void> {
  const credentials = { username: 'somebody', password: 'a-password' };
  const report = await checkWith({
    KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${rogue.port}`,
    KAFKA_SASL_MECHANISM: 'PLAIN',
    KAFKA_SASL_USERNAME: credentials.username,
    KAFKA_SASL_PASSWORD: credentials.password,
    KAFKA_SSL_CA_PEM: ca,
  });
  assert.match(report.verdict?.fault ?? 'OK', /^(CA_UNTRUSTED|CERT_EXPIRED|CERT_NOT_YET_VALID)$/);
  const target = report.targets[0];
  const passed = target?.stages.filter(({ status }) => status === 'passed').map(({ stage }) => stage) ?? [];
  assert.ok(
    passed.every((stage) => stages.indexOf(stage) < stages.indexOf('tls')),
    `passed: ${passed}`,
  );
  const { producer } = newProducer({
    bootstrapServers: [{ host: '127.0.0.1', port: rogue.port }],
    securityProtocol: 'SASL_SSL',
    sasl: { mechanism: 'PLAIN', ...credentials, password: new Secret(credentials.password) },
    ssl: { ca, verifyHostname: undefined },
    clientId: 'test',
    requestTimeout: undefined,
    connectionTimeout: undefined,
  });
  await assert.rejects(
    producer.send([{ topic: 't', key: null, value: null, headers: [] }], Date.now() + 5_000),
    {
      code: 'BROKER_UNREACHABLE',
    },
  );
  assert.deepEqual(rogue.requests, [], 'nothing is said to a server that is not trusted');
}

for (const kind of ['RSA', 'EC'] satisfies KeyKind[]) {
  describe(`a ${kind} leaf that names the trusted authority and is signed by another key`, {
    concurrency: 4,
  }, async () => {
    const authority = await newAuthority(kind);
    const stranger = await newAuthority(kind);
    for (const validity of validities) {
      for (const sent of ['alone', 'with the authority behind it'] as const) {
        test(`valid from ${validity.notBefore} to ${validity.notAfter}, sent ${sent}`, async (t) => {
          const { certificate, key } = await leafOf(authority, { signer: stranger, ...validity });
          const chain = sent === 'alone' ? certificate : certificate + authority.certificate;
          const rogue = await startRogue(key, chain);
          t.after(() => rogue.close());
          await assertRefused(rogue, authority.certificate);
        });
      }
    }
  });

  describe(`a ${kind} leaf of the trusted authority`, async () => {
    const authority: Authority = await newAuthority(kind);

    test('passes where OpenSSL lets it', async (t) => {
      const { certificate, key } = await leafOf(authority, {
        signer: authority,
        notBefore: LONG_AGO,
        notAfter: LATER,
      });
      const rogue = await startRogue(key, certificate);
      t.after(() => rogue.close());
      const report = await checkWith({
        KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${rogue.port}`,
        KAFKA_SECURITY_PROTOCOL: 'SSL',
        KAFKA_SSL_CA_PEM: authority.certificate,
      });
      assert.equal(report.verdict?.fault, 'ADVERTISED_TCP_REFUSED');
    });

    test('that ended in the year 49 has expired, and the report says when', async (t) => {
      const { certificate, key } = await leafOf(authority, {
        signer: authority,
        notBefore: '00010101000000Z',
        notAfter: twoDigits(49),
      });
      const rogue = await startRogue(key, certificate);
      t.after(() => rogue.close());
      const report = await checkWith({
        KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${rogue.port}`,
        KAFKA_SECURITY_PROTOCOL: 'SSL',
        KAFKA_SSL_CA_PEM: authority.certificate,
      });
      assert.equal(report.verdict?.fault, 'CERT_EXPIRED');
      assert.equal(report.tls?.chain[0]?.validTo, '0049-06-15T12:00:00.000Z');
    });
  });
}
