/** What `KAFKA_SSL_KEYSTORE_…` take, and what they say of what they don't take. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { pathToFileURL } from 'node:url';
import { unzipSync } from 'fflate';
import { settingsOf } from '../../build/settings.ts';
import { createCertificateAuthority } from '../../local/kafka/certificates.ts';
import { Failure } from '../../src/errors.ts';
import { tlsOptions } from '../../src/kafka/connection/client-options.ts';
import { oddCertificate } from '../connectivity-check/odd-certificates.ts';
import { sampleFunction } from '../deploy/samples.ts';
import { withoutLateFiles } from '../support/bundle.ts';
import type { Variables } from '../support/check.ts';
import { scratchCheckout } from '../support/checkout.ts';
import { scratchFolder } from '../support/folders.ts';
import { connectionWith } from '../support/logins.ts';
import { openssl } from '../support/tools.ts';

const CHAIN = 'KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN';
const KEY = 'KAFKA_SSL_KEYSTORE_KEY';
const PASSWORD = 'KAFKA_SSL_KEY_PASSWORD';
const PASSPHRASE = ' correct horse ';
const connection = { KAFKA_BOOTSTRAP_SERVERS: 'broker:9093', KAFKA_SECURITY_PROTOCOL: 'SSL' };

const ca = await createCertificateAuthority();
const ec = await (await ca.issueAuthority()).issue({ commonName: 'app', hosts: [] });
const rsa = oddCertificate({ name: 'rsa', extensions: 'subjectAltName=IP:127.0.0.1' });
const other = await ca.issue({ commonName: 'other', hosts: [] });

/** What openssl makes of a key that it gets at its standard input. */
function converted(key: string, ...args: string[]): string {
  return execFileSync(openssl.path, args, { input: key, stdio: ['pipe', 'pipe', 'ignore'] }).toString();
}
const AES = ['-aes256', '-passout', `pass:${PASSPHRASE}`];
const pkcs8 = ['pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-passout', `pass:${PASSPHRASE}`];
const curve = converted('', 'ecparam', '-name', 'prime256v1');

const keys: [what: string, chain: string, key: string, password?: string][] = [
  ['PKCS #8, EC, with an intermediate certificate', ec.chain, ec.key],
  ['PKCS #8, RSA', rsa.certificate, rsa.key],
  ['PKCS #8, encrypted', ec.chain, converted(ec.key, ...pkcs8), PASSPHRASE],
  ['PKCS #8, RSA, encrypted', rsa.certificate, converted(rsa.key, ...pkcs8), PASSPHRASE],
  ['PKCS #1', rsa.certificate, converted(rsa.key, 'rsa', '-traditional')],
  ['PKCS #1, encrypted', rsa.certificate, converted(rsa.key, 'rsa', '-traditional', ...AES), PASSPHRASE],
  ['SEC 1', ec.chain, converted(ec.key, 'ec')],
  ['SEC 1, encrypted', ec.chain, converted(ec.key, 'ec', ...AES), PASSPHRASE],
  ['SEC 1, behind the parameters of its curve', ec.chain, curve + converted(ec.key, 'ec')],
  ['lines that end with CR LF', crlf(ec.chain), crlf(ec.key)],
  ['line ends that are written out', ec.chain.replaceAll('\n', '\\n'), ec.key.replaceAll('\n', '\\n')],
  ['CR LF that is written out', ec.chain.replaceAll('\n', '\\r\\n'), ec.key.replaceAll('\n', '\\r\\n')],
  ['blanks around it, and before its lines', `  ${ec.chain} `, `\n${ec.key.replace(/^/gm, '  ')}\n`],
  ['bag attributes of a PKCS12 store', ec.chain, `Bag Attributes\n    friendlyName: app\n${ec.key}`],
  ['a password for a key that is not encrypted', ec.chain, ec.key, PASSPHRASE],
];

function crlf(text: string): string {
  return text.replaceAll('\n', '\r\n');
}

describe('a key that is taken', () => {
  for (const [what, chain, key, password = ''] of keys) {
    test(what, () => {
      const { ssl } = connectionWith({ ...connection, [CHAIN]: chain, [KEY]: key, [PASSWORD]: password });
      assert.ok(ssl?.clientCertificate);
      const options = tlsOptions(ssl, '');
      createSecureContext(options);
      const known = chain.includes(rsa.certificate) ? rsa : ec;
      const [wanted, got] = [known.key, String(options.key)].map((pem) => createPrivateKey(pem));
      assert.ok(wanted && got?.equals(wanted));
      assert.doesNotMatch(JSON.stringify(ssl), /PRIVATE KEY/);
    });
  }

  test('nothing is asked of who has none, or no TLS', () => {
    assert.equal(connectionWith(connection).ssl?.clientCertificate, undefined);
    const plain = { ...connection, KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT', [KEY]: 'nonsense' };
    assert.equal(connectionWith(plain).ssl, undefined);
  });
});

const altered = ec.key.replace(/\n[A-Za-z0-9+/=]{8}/, '\nAAAAAAAA');
const encrypted = converted(ec.key, ...pkcs8);
const [leaf = '', intermediate = ''] = ec.chain.split(/(?<=-----END CERTIFICATE-----\n)/);

const refused: [what: string, variables: Variables, problem: string][] = [
  ['a chain alone', { [CHAIN]: ec.chain }, `${KEY} is required with ${CHAIN}`],
  ['a key alone', { [KEY]: ec.key }, `${CHAIN} is required with ${KEY}`],
  [
    'a blank chain',
    { [CHAIN]: '  ', [KEY]: ec.key },
    `${CHAIN} must not be blank: give it a value, or remove it`,
  ],
  [
    'a blank key',
    { [CHAIN]: ec.chain, [KEY]: '\t' },
    `${KEY} must not be blank: give it a value, or remove it`,
  ],
  [
    'no password',
    { [CHAIN]: ec.chain, [KEY]: encrypted },
    `${PASSWORD} is required: the key in ${KEY} is encrypted`,
  ],
  [
    'a wrong password',
    { [CHAIN]: ec.chain, [KEY]: encrypted, [PASSWORD]: PASSPHRASE.trim() },
    `${PASSWORD} does not open the key in ${KEY}`,
  ],
  [
    'a blank password',
    { [CHAIN]: ec.chain, [KEY]: encrypted, [PASSWORD]: '  ' },
    `${PASSWORD} must not be blank: give it a value, or remove it`,
  ],
  [
    "another certificate's key",
    { [CHAIN]: ec.chain, [KEY]: other.key },
    `${CHAIN} must begin with the certificate of the key in ${KEY}: it fits another key`,
  ],
  [
    'the intermediate certificate first',
    { [CHAIN]: intermediate + leaf, [KEY]: ec.key },
    `${CHAIN} must begin with the certificate of the key in ${KEY}: it fits another key`,
  ],
  [
    'certificate and key swapped',
    { [CHAIN]: ec.key, [KEY]: ec.chain },
    `${CHAIN} holds a PRIVATE KEY: certificates alone belong there; ${KEY} holds no private key in PEM (-----BEGIN PRIVATE KEY-----)`,
  ],
  [
    'both in one text',
    { [CHAIN]: ec.chain + ec.key, [KEY]: ec.key },
    `${CHAIN} holds a PRIVATE KEY: certificates alone belong there`,
  ],
  [
    'a key that is cut off',
    { [CHAIN]: ec.chain, [KEY]: ec.key.slice(0, 100) },
    `${KEY} holds a private key that is cut off (no -----END PRIVATE KEY-----)`,
  ],
  [
    'two keys',
    { [CHAIN]: ec.chain, [KEY]: ec.key + other.key },
    `${KEY} holds several private keys: one alone belongs there`,
  ],
  [
    'a key that is altered',
    { [CHAIN]: ec.chain, [KEY]: altered },
    `${KEY} holds a private key that is altered, or of a kind that is not known`,
  ],
  [
    'a key outside the bundle',
    { [CHAIN]: ec.chain, [KEY]: 'file:../key.pem' },
    `${KEY} must be file: and a path in the bundle, without ..`,
  ],
  [
    'a file that is not there',
    { [CHAIN]: ec.chain, [KEY]: 'file:no/such.pem' },
    `${KEY} names a file that cannot be read (ENOENT)`,
  ],
];

describe('a key that is refused, with the remedy and without a value', () => {
  for (const [what, variables, problem] of refused) {
    test(what, () => {
      assert.throws(
        () => connectionWith({ ...connection, ...variables }),
        (error: unknown) => {
          assert.ok(error instanceof Failure);
          assert.deepEqual([error.code, error.message], ['CONFIG_INVALID', `configuration: ${problem}`]);
          return true;
        },
      );
    });
  }
});

describe('file: in settings', () => {
  const folder = scratchFolder('keys');
  const before = process.cwd();
  /** Within the folder, as npm runs in a checkout. */
  const within = async <T>(where: string, work: () => Promise<T>): Promise<T> => {
    process.chdir(where);
    try {
      return await work();
    } finally {
      process.chdir(before);
    }
  };
  const files: Record<string, string> = {
    chain: ec.chain,
    key: ec.key,
    encrypted,
    combined: ec.chain + ec.key,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.pem`), text);
  const read = (settings: string) => {
    mkdirSync(join(folder, 'settings'), { recursive: true });
    writeFileSync(join(folder, 'settings/common.env'), settings);
    return within(folder, () => settingsOf(['produce'], 'settings'));
  };
  const tls = 'KAFKA_SECURITY_PROTOCOL=SSL\n';

  const exposed: [what: string, settings: string, message: RegExp][] = [
    ['a key in a file', `${tls}${KEY}=file:key.pem`, /common\.env: \S+_KEY names no encrypted key/],
    [
      'the same where TLS is off',
      `KAFKA_SECURITY_PROTOCOL=PLAINTEXT\n${KEY}=file:key.pem`,
      /no encrypted key/,
    ],
    ['a key as text', `${KEY}="${ec.key}"`, /_KEY is a secret/],
    ['an encrypted key as text', `${KEY}="${encrypted}"`, /_KEY is a secret/],
    ["the key's password", `${PASSWORD}=x`, /_PASSWORD is a secret/],
    [
      'a key beside the certificate',
      `${tls}${CHAIN}=file:combined.pem`,
      /_CHAIN names a file that holds a PRIVATE KEY/,
    ],
  ];
  for (const [what, settings, message] of exposed) {
    test(`the build refuses ${what}`, () =>
      assert.rejects(read(settings), { name: 'BuildRefused', message }));
  }

  test('the build puts a chain and an encrypted key beside the bundle, and they are used', async () => {
    const checkout = scratchCheckout();
    const settings = join(checkout.folder, 'settings');
    mkdirSync(settings);
    writeFileSync(join(settings, 'app.pem'), ec.chain);
    writeFileSync(join(settings, 'app.key'), encrypted);
    writeFileSync(
      join(settings, 'produce.env'),
      `${tls}${CHAIN}=file:settings/app.pem\n${KEY}=file:settings/app.key`,
    );
    const build = await checkout.builder();
    const [produce] = await within(checkout.folder, () =>
      build({ functions: ['produce'], outdir: join(checkout.folder, 'dist') }),
    );
    const names = withoutLateFiles(Object.keys(unzipSync(await readFile(produce?.zip ?? ''))));
    assert.deepEqual(names, ['index.js', 'package.json', 'settings/app.key', 'settings/app.pem']);
    const variables = {
      ...{ ...connection, [CHAIN]: 'file:settings/app.pem', [KEY]: 'file:settings/app.key' },
      [PASSWORD]: PASSPHRASE,
    };
    const { ssl } = await within(produce?.directory ?? '', async () => connectionWith(variables));
    assert.ok(ssl?.clientCertificate);
  });

  test('osls deploy reads settings as well, before it says what is missing', async () => {
    const checkout = scratchCheckout('deploy');
    const deploy: typeof import('../../deploy/function-settings.ts') = await import(
      pathToFileURL(join(checkout.folder, 'deploy/function-settings.ts')).href
    );
    const problems = () =>
      within(checkout.folder, async () =>
        deploy.functionSettingProblems(
          sampleFunction({
            source: 'produce',
            environment: connection,
            encryptedEnvironment: { [KEY]: ec.key },
          }),
        ),
      );
    assert.match(String(await problems()), new RegExp(`${CHAIN} is required with ${KEY}`));
    mkdirSync(join(checkout.folder, 'settings'));
    writeFileSync(join(checkout.folder, 'settings/app.pem'), ec.chain);
    writeFileSync(join(checkout.folder, 'settings/common.env'), `${CHAIN}=file:settings/app.pem`);
    assert.deepEqual(await problems(), []);
  });
});
