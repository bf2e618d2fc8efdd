/**
 * Found 2026-11-27 (C4): certificates in many of the shapes that openssl, keytool and people make were dropped in
 * silence, or accepted and not trusted. Each is taken, and then TLS trusts it, or refused by name.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { connect, createServer, type Server } from 'node:tls';
import { certificatesIn, describeCertificates } from '../../build/certificates.ts';
import { pemOf, readCertificates } from '../../src/certificate-reader.ts';
import { tlsOptions } from '../../src/kafka/connection/client-options.ts';
import { connectionConfig } from '../../src/kafka/connection/config.ts';
import { readConfig } from '../../src/variables.ts';
import { scratchFolder } from '../support/folders.ts';
import { openssl as tool } from '../support/tools.ts';

const PASSWORD = 'dms@kafka';
const folder = scratchFolder('certificate-shapes');
const path = (name: string) => join(folder, name);
const file = (name: string) => readFileSync(path(name));
const text = (name: string) => file(name).toString();

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
}
const reason = await tool.missing();
if (reason) throw new Error(reason);
const openssl = (line: string) => run(tool.path, line.split(' '));
const keytool = (line: string) => run('keytool', [...line.split(' '), '-storepass', PASSWORD, '-noprompt']);

for (const [name, key] of [
  ['one', 'rsa:2048'],
  ['two', 'ec -pkeyopt ec_paramgen_curve:P-256'],
] as const) {
  openssl(`req -x509 -newkey ${key} -nodes -keyout ${name}.key -out ${name}.pem -subj /CN=${name} -days 100`);
  openssl(`req -newkey ${key} -nodes -keyout leaf-${name}.key -out leaf-${name}.csr -subj /CN=localhost`);
  writeFileSync(path('names.cnf'), 'subjectAltName=DNS:localhost');
  openssl(
    `x509 -req -in leaf-${name}.csr -CA ${name}.pem -CAkey ${name}.key -CAcreateserial -days 30 -extfile names.cnf -out leaf-${name}.pem`,
  );
}
const one = text('one.pem');
const two = text('two.pem');
writeFileSync(path('both.pem'), one + two);

/** What a command writes into the file `out`. */
function made(by: (line: string) => void, ...lines: string[]): Buffer {
  rmSync(path('out'), { force: true });
  for (const line of lines) by(line);
  return file('out');
}
const pkcs12 = (options: string) =>
  made(openssl, `pkcs12 -export -out out -passout pass:${PASSWORD} ${options}`);
const store = (type: string, ...lines: string[]) =>
  made(keytool, ...lines.map((line) => `${line} -keystore out -storetype ${type}`));
const utf16 = (content: string) => Buffer.from(content, 'utf16le');
const [, base64Lines = ''] = /-\n([\s\S]+)\n-/.exec(one) ?? [];
const keyEntry = '-genkeypair -alias key -keyalg EC -dname CN=key';

/** Which certificates it holds; a key store is for the build alone. */
const taken: Record<string, { content: Buffer | string; holds?: 'one' | 'both'; isStore?: true }> = {
  PEM: { content: one },
  'PEM, without its last line end': { content: one.trim() },
  'PEM with CRLF': { content: one.replaceAll('\n', '\r\n') },
  'PEM with CR': { content: one.replaceAll('\n', '\r') },
  'PEM with a byte order mark': { content: `\ufeff${one}` },
  'PEM in UTF-8 text': { content: `# Zertifikat für Müller\n${one}` },
  'PEM, indented as in YAML': { content: one.replace(/^/gm, '    ') },
  'PEM with blanks at the ends of lines': { content: one.replaceAll('\n', '  \n') },
  'PEM with its base64 in one line': { content: one.replace(base64Lines, base64Lines.replaceAll('\n', '')) },
  'PEM below what it says in words': { content: made(openssl, 'x509 -in one.pem -text -out out') },
  'PEM with bag attributes': {
    content: made(
      openssl,
      `pkcs12 -export -nokeys -in one.pem -name my-ca -out named.p12 -passout pass:${PASSWORD}`,
      `pkcs12 -in named.p12 -nokeys -passin pass:${PASSWORD} -out out`,
    ),
  },
  'PEM in quotes, as JSON has it': { content: JSON.stringify(one) },
  'PEM with \\n written out': { content: one.replaceAll('\n', '\\n') },
  'PEM with \\r\\n written out': { content: one.replaceAll('\n', '\\r\\n') },
  'PEM behind a name': { content: `CA=${one}` },
  'TRUSTED CERTIFICATE': {
    content: made(openssl, 'x509 -in one.pem -trustout -addtrust serverAuth -out out'),
  },
  'X509 CERTIFICATE': { content: one.replaceAll('CERTIFICATE', 'X509 CERTIFICATE') },
  'the same twice': { content: one + one },
  'two, one below the other': { content: one + two, holds: 'both' },
  'two, joined without a line end': { content: one.trim() + two, holds: 'both' },
  'two, joined with \\n written out': { content: (one + two).replaceAll('\n', '\\n'), holds: 'both' },
  'two, with words between them': { content: `first\n${one}\n\nsecond\n${two}end\n`, holds: 'both' },
  DER: { content: made(openssl, 'x509 -in one.pem -outform DER -out out') },
  'PKCS7 in PEM': { content: made(openssl, 'crl2pkcs7 -nocrl -certfile one.pem -out out') },
  'PKCS7 in DER': { content: made(openssl, 'crl2pkcs7 -nocrl -certfile one.pem -outform DER -out out') },
  'PKCS7 of two': { content: made(openssl, 'crl2pkcs7 -nocrl -certfile both.pem -out out'), holds: 'both' },
  CMS: {
    content: made(openssl, 'crl2pkcs7 -nocrl -certfile one.pem -out out')
      .toString()
      .replaceAll('PKCS7', 'CMS'),
  },
  'PKCS12 by openssl': { content: pkcs12('-nokeys -in one.pem'), isStore: true },
  'PKCS12 by openssl, named': { content: pkcs12('-nokeys -in one.pem -caname a-ca'), isStore: true },
  'PKCS12 by openssl, of two': { content: pkcs12('-nokeys -in both.pem'), holds: 'both', isStore: true },
  'PKCS12 by openssl, old ciphers': { content: pkcs12('-legacy -nokeys -in one.pem'), isStore: true },
  'PKCS12 by openssl, SHA-512': { content: pkcs12('-nokeys -macalg sha512 -in one.pem'), isStore: true },
  'PKCS12 by openssl, without encryption': {
    content: pkcs12('-nokeys -nomac -certpbe NONE -in one.pem'),
    isStore: true,
  },
  'PKCS12 by openssl, beside a key': {
    content: pkcs12('-in leaf-one.pem -inkey leaf-one.key -certfile one.pem'),
    isStore: true,
  },
  'PKCS12 by keytool': { content: store('PKCS12', '-importcert -alias ca -file one.pem'), isStore: true },
  'PKCS12 by keytool, of two beside a key': {
    content: store(
      'PKCS12',
      ...['-importcert -alias a -file one.pem', '-importcert -alias b -file two.pem', keyEntry],
    ),
    holds: 'both',
    isStore: true,
  },
  JKS: { content: store('JKS', '-importcert -alias ca -file one.pem'), isStore: true },
  'JKS with an alias in another script': {
    content: store('JKS', '-importcert -alias провайдер -file one.pem'),
    isStore: true,
  },
  'JKS of two': {
    content: store('JKS', '-importcert -alias a -file one.pem', '-importcert -alias b -file two.pem'),
    holds: 'both',
    isStore: true,
  },
  'JKS beside a key with another password': {
    content: store('JKS', `${keyEntry} -keypass another-one`, '-importcert -alias ca -file one.pem'),
    isStore: true,
  },
  'JKS with the chain of a key': { content: storeWithChain(), isStore: true },
};

const refused: Record<string, { content: Buffer | string; reason: RegExp; isStore?: true }> = {
  nothing: { content: '', reason: /holds no certificate/ },
  words: { content: 'the certificate', reason: /holds no certificate/ },
  'PEM that is cut off': { content: one.slice(0, 700), reason: /is cut off/ },
  'PEM that is cut off before another': {
    content: one.slice(0, 700) + two,
    reason: /is cut off|is not base64/,
  },
  'PEM with spaces for line ends': { content: one.replaceAll('\n', ' '), reason: /has spaces where/ },
  'PEM with a byte too many': {
    content: one.replace(base64Lines, `!${base64Lines}`),
    reason: /is not base64/,
  },
  'PEM with another certificate altered': {
    content: two + one.replace(base64Lines, base64Lines.slice(4)),
    reason: /is cut off or altered/,
  },
  'PEM in UTF-16': { content: utf16(`\ufeff${one}`), reason: /UTF-16/ },
  'PEM in UTF-16, without a mark': { content: utf16(one), reason: /UTF-16/ },
  'PEM in UTF-16, big endian': { content: utf16(`\ufeff${one}`).swap16(), reason: /UTF-16/ },
  'a key': { content: file('one.key'), reason: /holds a PRIVATE KEY/ },
  'a certificate with its key': { content: one + text('one.key'), reason: /holds a PRIVATE KEY/ },
  'a key in DER': { content: made(openssl, 'pkey -in one.key -outform DER -out out'), reason: /private key/ },
  'a public key': { content: made(openssl, 'pkey -in one.key -pubout -out out'), reason: /a PUBLIC KEY/ },
  'a request': { content: file('leaf-one.csr'), reason: /holds a CERTIFICATE REQUEST/ },
  'PKCS7 without a certificate': {
    content: made(openssl, 'crl2pkcs7 -nocrl -out out'),
    reason: /PKCS7 without a certificate/,
  },
  'DER that is cut off': { content: derOfOne().subarray(0, 500), reason: /is cut off or altered/ },
  'DER of two': { content: Buffer.concat([derOfOne(), derOfOne()]), reason: /DER holds one alone/ },
  'a zip': { content: Buffer.from('504b03040a0000000000', 'hex'), reason: /is a zip/ },
  'something else': { content: Buffer.from([1, 0, 2]), reason: /is neither PEM nor DER nor PKCS7/ },
  JCEKS: { content: store('JCEKS', '-importcert -alias ca -file one.pem'), reason: /JCEKS/ },
  'JKS with another password': {
    content: made(
      (line) => run('keytool', line.split(' ')),
      '-importcert -alias ca -file one.pem -keystore out -storetype JKS -storepass another-one -noprompt',
    ),
    reason: /KAFKA_SSL_TRUSTSTORE_PASSWORD/,
    isStore: true,
  },
  'JKS with nothing but a key': {
    content: store('JKS', keyEntry),
    reason: /no certificate of an/,
    isStore: true,
  },
  'PKCS12 with another password': {
    content: made(openssl, 'pkcs12 -export -nokeys -in one.pem -out out -passout pass:another-one'),
    reason: /KAFKA_SSL_TRUSTSTORE_PASSWORD/,
    isStore: true,
  },
  'PKCS12 with nothing but a key': {
    content: pkcs12('-in leaf-one.pem -inkey leaf-one.key'),
    reason: /no certificate of an/,
    isStore: true,
  },
};

function storeWithChain(): Buffer {
  writeFileSync(path('chain.p12'), pkcs12('-in leaf-one.pem -inkey leaf-one.key -certfile one.pem'));
  const source = `-srckeystore chain.p12 -srcstorepass ${PASSWORD}`;
  return made(
    (line) => run('keytool', line.split(' ')),
    `-importkeystore ${source} -destkeystore out -deststoretype JKS -deststorepass ${PASSWORD} -noprompt`,
  );
}

function derOfOne(): Buffer {
  return new X509Certificate(one).raw;
}

/** A folder that holds this alone. */
function folderWith(name: string, content: Buffer | string): string {
  const directory = mkdtempSync(path('folder-'));
  writeFileSync(join(directory, name), content);
  return directory;
}

async function bundledFrom(name: string, content: Buffer | string): Promise<string> {
  const found = await certificatesIn(folderWith(name, content));
  return pemOf(found.map(({ certificate }) => certificate));
}

/** What TLS gets by a variable; throws a Failure that names it. */
function configured(variable: string, value: string): string {
  const values: Record<string, string> = {
    KAFKA_BOOTSTRAP_SERVERS: 'localhost:9093',
    KAFKA_SECURITY_PROTOCOL: 'SSL',
    [variable]: value,
  };
  const { ssl } = readConfig((name) => values[name], connectionConfig);
  return ssl?.ca ?? assert.fail('no certificates');
}

const servers: Record<'one' | 'two', Server> = {
  one: createServer({ cert: text('leaf-one.pem'), key: text('leaf-one.key') }),
  two: createServer({ cert: text('leaf-two.pem'), key: text('leaf-two.key') }),
};
for (const server of Object.values(servers)) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.on('tlsClientError', () => {});
  after(() => server.close());
}

/** Whether TLS with these options ends well with a broker whose certificate is by that authority. */
async function trusts(ca: string, authority: 'one' | 'two'): Promise<boolean> {
  const { port } = servers[authority].address() as AddressInfo;
  const options = tlsOptions({ ca, verifyHostname: true }, '');
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ...options });
  try {
    await once(socket, 'secureConnect');
    return socket.authorized;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function assertTrust(ca: string, holds: 'one' | 'both'): Promise<void> {
  assert.ok(await trusts(ca, 'one'), 'TLS trusts it');
  assert.equal(await trusts(ca, 'two'), holds === 'both', 'TLS trusts what it holds alone');
}

/** As a variable's text and its file, and as a file of the folder with any ending. */
describe('certificates in every shape', () => {
  test('are at least 40', () => assert.ok(Object.keys(taken).length + Object.keys(refused).length >= 40));

  for (const [shape, { content, holds = 'one', isStore }] of Object.entries(taken)) {
    test(`${shape}: taken, and trusted`, async () => {
      await assertTrust(await bundledFrom('CA.Something', content), holds);
      const location = join(folderWith('ca', content), 'ca');
      if (isStore) {
        assert.throws(
          () => configured('KAFKA_SSL_CA_LOCATION', location),
          /KAFKA_SSL_CA_LOCATION names a file that is a (Java key|PKCS12) store/,
        );
        return;
      }
      await assertTrust(configured('KAFKA_SSL_CA_LOCATION', location), holds);
      const isText = !Buffer.from(content).includes(0);
      if (isText) await assertTrust(configured('KAFKA_SSL_CA_PEM', content.toString()), holds);
    });
  }

  for (const [shape, { content, reason, isStore }] of Object.entries(refused)) {
    test(`${shape}: refused by name`, async () => {
      await assert.rejects(bundledFrom('CA.Something', content), (error: Error) => {
        assert.match(error.message, /CA\.Something /);
        assert.match(error.message, reason);
        return true;
      });
      const location = join(folderWith('ca', content), 'ca');
      assert.throws(() => configured('KAFKA_SSL_CA_LOCATION', location), {
        message: isStore ? /KAFKA_SSL_CA_LOCATION names a file that is a/ : /KAFKA_SSL_CA_LOCATION/,
      });
    });
  }
});

describe('the shapes of one CA that a user collected', () => {
  const inputs = new URL('inputs/certificates/', import.meta.url);
  const untakable = ['client.jceks', 'cut.pem', 'spaces-for-lines.pem', 'utf16.pem'];
  const [example] = readCertificates(readFileSync(new URL('plain.pem', inputs)));

  for (const name of readdirSync(inputs).sort()) {
    test(`${name}: ${untakable.includes(name) ? 'refused' : 'taken'}`, async () => {
      const reading = certificatesIn(folderWith(name, readFileSync(new URL(name, inputs))));
      if (untakable.includes(name)) {
        await assert.rejects(reading, { message: new RegExp(name) });
        return;
      }
      const names = (await reading).map(({ certificate }) => certificate.subject);
      const isSecond = name === 'second.pem';
      const isBoth = name === 'joined-without-newline.pem';
      assert.deepEqual(names, [
        ...(isSecond ? [] : [example?.subject]),
        ...(isSecond || isBoth ? ['CN=Second CA'] : []),
      ]);
    });
  }
});

describe('the folder of certificates', () => {
  test('each file that cannot be taken is named, a folder too', async () => {
    const directory = folderWith('a.crt', one);
    writeFileSync(join(directory, 'b.p12'), 'x');
    mkdirSync(join(directory, 'kafka-certs'));
    await assert.rejects(certificatesIn(directory), {
      message: /b\.p12 holds no.*\n.*kafka-certs is a folder/,
    });
  });

  test('pages and hidden files are not read as certificates', async () => {
    const directory = folderWith('README.md', 'words');
    writeFileSync(join(directory, '.gitkeep'), '');
    assert.deepEqual(await certificatesIn(directory), []);
  });

  test('what is bundled is said: file, subject, fingerprint, days, and why it would not be trusted', async () => {
    const directory = folderWith('a.crt', one);
    writeFileSync(join(directory, 'b.pem'), text('leaf-two.pem'));
    const [ca = '', leaf = ''] = describeCertificates(await certificatesIn(directory));
    const { fingerprint256 } = new X509Certificate(one);
    assert.equal(ca, `a.crt  CN=one  SHA-256 ${fingerprint256}  99 days left`);
    assert.match(leaf, /^b\.pem {2}CN=localhost .* \(not an authority: nothing is trusted because of it\)$/);
  });
});
