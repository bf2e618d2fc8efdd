import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { functionConfig } from '../functions/produce/config.ts';
import { createCertificateAuthority } from '../local/kafka/certificates.ts';
import { Failure } from '../src/errors.ts';
import { readConfig } from '../src/variables.ts';
import { scratchFolder } from './support/folders.ts';

const { certificate: pem } = await createCertificateAuthority();
const { certificate: otherPem } = await createCertificateAuthority();
const directory = scratchFolder('config');
const pemFile = join(directory, 'ca.pem');
writeFileSync(pemFile, pem);

const SECRET = 'hunter2-not-to-be-seen';
const complete = {
  KAFKA_BOOTSTRAP_SERVERS: 'broker:9093',
  KAFKA_SASL_USERNAME: 'user',
  KAFKA_SASL_PASSWORD: SECRET,
};

function read(variables: Record<string, string | undefined>) {
  return readConfig((name) => variables[name], functionConfig);
}

const configure = (variables: Record<string, string>) => read({ ...complete, ...variables });

/** What is wrong, as one sentence a variable. */
function problems(variables: Record<string, string | undefined>): string[] {
  try {
    read(variables);
  } catch (error) {
    assert.ok(error instanceof Failure);
    assert.equal(error.code, 'CONFIG_INVALID');
    for (const value of Object.values(variables)) {
      if (value && value.length > 4) assert.ok(!error.message.includes(value), 'no value in the message');
    }
    return error.message.replace('configuration: ', '').split('; ');
  }
  return [];
}

const problemNames = (variables: Record<string, string>) =>
  problems({ ...complete, ...variables }).map((sentence) => sentence.split(' ', 1)[0]);

test('defaults', () => {
  const { connection, producer, produce, logLevel } = read(complete);
  const { sasl, ...rest } = connection;
  assert.deepEqual(rest, {
    bootstrapServers: [{ host: 'broker', port: 9093 }],
    securityProtocol: 'SASL_SSL',
    ssl: { ca: undefined, verifyHostname: undefined, clientCertificate: undefined },
    clientId: 'kafka-functions',
    requestTimeout: undefined,
    connectionTimeout: undefined,
  });
  assert.ok(sasl?.mechanism === 'SCRAM-SHA-512');
  assert.equal(sasl.username, 'user');
  assert.equal(sasl.password.reveal(), SECRET);
  const { acks, idempotence, lingerMs, batchSize, maxRequestSize, maxQueueBytes } = producer;
  assert.deepEqual(
    { acks, idempotence, lingerMs, batchSize, maxRequestSize, maxQueueBytes },
    {
      acks: 'all',
      idempotence: 'preferred',
      lingerMs: 0,
      batchSize: 1_048_576,
      maxRequestSize: 1_048_576,
      maxQueueBytes: 33_554_432,
    },
  );
  assert.equal(produce.defaultTopic, undefined);
  assert.equal(produce.maxBodyBytes, 6_291_456);
  assert.equal(logLevel, 'info');
});

test('everything that is wrong is reported at once, by name and without values', () => {
  const found = problems({
    KAFKA_BOOTSTRAP_SERVERS: 'no-port-here',
    KAFKA_SASL_MECHANISM: 'GSSAPI-VALUE',
    KAFKA_SASL_PASSWORD: SECRET,
    KAFKA_SSL_CA_PEM: 'not-a-certificate',
    KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: 'perhaps',
    KAFKA_REQUEST_TIMEOUT_MS: 'soon-enough',
    KAFKA_CONNECTION_TIMEOUT_MS: '-10000',
    KAFKA_ACKS: 'some-of-them',
    KAFKA_ENABLE_IDEMPOTENCE: 'maybe-not',
    KAFKA_LINGER_MS: '1.2345',
    KAFKA_BATCH_SIZE: '1e100',
    KAFKA_MAX_REQUEST_SIZE: 'a-megabyte',
    KAFKA_TOPIC: 'no/topic/name',
    PRODUCE_TOPICS: 'a*b*c*d',
    PRODUCE_MAX_BODY_BYTES: '6 MiB please',
    PRODUCE_MAX_QUEUE_BYTES: '99999999999999',
    LOG_LEVEL: 'verbose',
  });
  assert.deepEqual(found.map((sentence) => sentence.split(' ', 1)[0]).sort(), [
    'KAFKA_ACKS',
    'KAFKA_BATCH_SIZE',
    'KAFKA_BOOTSTRAP_SERVERS',
    'KAFKA_CONNECTION_TIMEOUT_MS',
    'KAFKA_ENABLE_IDEMPOTENCE',
    'KAFKA_LINGER_MS',
    'KAFKA_MAX_REQUEST_SIZE',
    'KAFKA_REQUEST_TIMEOUT_MS',
    'KAFKA_SASL_MECHANISM',
    'KAFKA_SASL_USERNAME',
    'KAFKA_SSL_CA_PEM',
    'KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM',
    'KAFKA_TOPIC',
    'LOG_LEVEL',
    'PRODUCE_MAX_BODY_BYTES',
    'PRODUCE_MAX_QUEUE_BYTES',
    'PRODUCE_TOPICS',
  ]);
});

test('an empty environment names what is required', () => {
  assert.deepEqual(problems({}), [
    'KAFKA_BOOTSTRAP_SERVERS is required',
    'KAFKA_SASL_USERNAME is required',
    'KAFKA_SASL_PASSWORD is required',
  ]);
});

describe('KAFKA_BOOTSTRAP_SERVERS', () => {
  const accepted: [string, { host: string; port: number }[]][] = [
    ['a:1', [{ host: 'a', port: 1 }]],
    [
      ' a.example.org:9093 , 10.0.0.5:65535 ',
      [
        { host: 'a.example.org', port: 9093 },
        { host: '10.0.0.5', port: 65535 },
      ],
    ],
    [
      '[::1]:9093,[fe80::1:2]:9',
      [
        { host: '::1', port: 9093 },
        { host: 'fe80::1:2', port: 9 },
      ],
    ],
    ['a:1,', [{ host: 'a', port: 1 }]],
  ];
  for (const [text, addresses] of accepted) {
    test(`takes ${text}`, () => {
      assert.deepEqual(configure({ KAFKA_BOOTSTRAP_SERVERS: text }).connection.bootstrapServers, addresses);
    });
  }
  for (const text of [
    'a',
    'a:',
    ':9',
    'a:0',
    'a:65536',
    'a:9x',
    '::1:9093',
    '[::1]',
    'SASL_SSL://a:9',
    'a b:9',
    'a:9;b:9',
    'u@a:9',
    'a:9,b',
    '',
    ',',
  ]) {
    test(`refuses ${text || 'an empty text'}`, () => {
      assert.deepEqual(problemNames({ KAFKA_BOOTSTRAP_SERVERS: text }), ['KAFKA_BOOTSTRAP_SERVERS']);
    });
  }
});

describe('security', () => {
  test('variables of a protocol that is not in use are ignored', () => {
    const wrong = {
      KAFKA_BOOTSTRAP_SERVERS: 'a:9',
      KAFKA_SASL_MECHANISM: 'wrong',
      KAFKA_SSL_CA_PEM: 'wrong',
      KAFKA_SSL_CA_LOCATION: '/does/not/exist',
      KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: 'wrong',
    };
    const plaintext = read({ ...wrong, KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT' }).connection;
    assert.deepEqual([plaintext.sasl, plaintext.ssl], [undefined, undefined]);
    const names = (protocol: string) =>
      problems({ ...wrong, KAFKA_SECURITY_PROTOCOL: protocol }).map((sentence) => sentence.split(' ', 1)[0]);
    assert.deepEqual(names('SASL_PLAINTEXT'), [
      'KAFKA_SASL_MECHANISM',
      'KAFKA_SASL_USERNAME',
      'KAFKA_SASL_PASSWORD',
    ]);
    assert.deepEqual(names('SSL').sort(), [
      'KAFKA_SSL_CA_LOCATION',
      'KAFKA_SSL_CA_PEM',
      'KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM',
    ]);
  });

  for (const protocol of ['SASL_SSL', 'SASL_PLAINTEXT', 'SSL', 'PLAINTEXT']) {
    test(`${protocol}, in any case`, () => {
      const { connection } = configure({ KAFKA_SECURITY_PROTOCOL: protocol.toLowerCase() });
      assert.equal(connection.securityProtocol, protocol);
      assert.equal(connection.sasl !== undefined, protocol.startsWith('SASL'));
      assert.equal(connection.ssl !== undefined, protocol.endsWith('SSL'));
    });
  }

  for (const mechanism of ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'] as const) {
    test(mechanism, () => {
      assert.equal(configure({ KAFKA_SASL_MECHANISM: mechanism }).connection.sasl?.mechanism, mechanism);
    });
  }

  test('a password keeps the spaces at its ends', () => {
    const { sasl } = configure({ KAFKA_SASL_PASSWORD: ' pass ' }).connection;
    assert.equal(sasl && 'password' in sasl && sasl.password.reveal(), ' pass ');
  });

  const verification: [string | undefined, boolean | undefined][] = [
    [undefined, undefined],
    ['https', true],
    ['HTTPS', true],
    ['none', false],
    ['', false],
  ];
  for (const [text, expected] of verification) {
    test(`host name check: ${text === undefined ? 'unset' : text || 'empty'}`, () => {
      const variables = text === undefined ? {} : { KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: text };
      assert.equal(configure(variables).connection.ssl?.verifyHostname, expected);
    });
  }
});

describe('certificates', () => {
  const ca = (variables: Record<string, string>) => configure(variables).connection.ssl?.ca;

  test('a PEM text, also on one line with \\n written out', () => {
    assert.equal(ca({ KAFKA_SSL_CA_PEM: pem })?.trim(), pem.trim());
    assert.equal(ca({ KAFKA_SSL_CA_PEM: pem.replaceAll('\n', '\\n') })?.trim(), pem.trim());
  });

  test('a file; the text wins, and then the file is not looked at', () => {
    assert.equal(ca({ KAFKA_SSL_CA_LOCATION: pemFile }), pem);
    assert.equal(
      ca({ KAFKA_SSL_CA_LOCATION: '/does/not/exist', KAFKA_SSL_CA_PEM: otherPem })?.trim(),
      otherPem.trim(),
    );
  });

  test('several certificates', () => {
    assert.equal(ca({ KAFKA_SSL_CA_PEM: `${pem}${otherPem}` })?.trim(), `${pem}${otherPem}`.trim());
  });

  test('a file that cannot be read says why', () => {
    assert.deepEqual(problems({ ...complete, KAFKA_SSL_CA_LOCATION: '/does/not/exist' }), [
      'KAFKA_SSL_CA_LOCATION names a file that cannot be read (ENOENT)',
    ]);
    assert.deepEqual(problems({ ...complete, KAFKA_SSL_CA_LOCATION: directory }), [
      'KAFKA_SSL_CA_LOCATION names a file that cannot be read (EISDIR)',
    ]);
  });

  const broken = {
    'no certificate': 'AAAA',
    'a key': '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----',
    'cut off': pem.slice(0, 200),
    'not base64': '-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----',
    'no DER inside': '-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----',
    'a good one and a broken one': `${pem}-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----`,
    'a good one and one cut off': `${pem}${otherPem.slice(0, 200)}`,
  };
  for (const [name, text] of Object.entries(broken)) {
    test(`refused: ${name}`, () => {
      assert.deepEqual(problemNames({ KAFKA_SSL_CA_PEM: text }), ['KAFKA_SSL_CA_PEM']);
      const file = join(directory, 'broken.pem');
      writeFileSync(file, text);
      assert.deepEqual(problemNames({ KAFKA_SSL_CA_LOCATION: file }), ['KAFKA_SSL_CA_LOCATION']);
    });
  }
});

describe('acks and idempotence', () => {
  const table: [Record<string, string>, string, string][] = [
    [{}, 'all', 'preferred'],
    [{ KAFKA_ACKS: 'ALL' }, 'all', 'preferred'],
    [{ KAFKA_ACKS: '-1' }, 'all', 'preferred'],
    [{ KAFKA_ENABLE_IDEMPOTENCE: 'true' }, 'all', 'required'],
    [{ KAFKA_ENABLE_IDEMPOTENCE: 'TRUE' }, 'all', 'required'],
    [{ KAFKA_ENABLE_IDEMPOTENCE: 'false' }, 'all', 'off'],
    [{ KAFKA_ACKS: '1' }, '1', 'off'],
    [{ KAFKA_ACKS: '0' }, '0', 'off'],
    [{ KAFKA_ACKS: '1', KAFKA_ENABLE_IDEMPOTENCE: 'false' }, '1', 'off'],
  ];
  for (const [variables, acks, idempotence] of table) {
    test(JSON.stringify(variables), () => {
      const { producer } = configure(variables);
      assert.deepEqual([producer.acks, producer.idempotence], [acks, idempotence]);
    });
  }
  for (const KAFKA_ACKS of ['0', '1']) {
    test(`idempotence with acks ${KAFKA_ACKS} is refused`, () => {
      assert.deepEqual(problemNames({ KAFKA_ACKS, KAFKA_ENABLE_IDEMPOTENCE: 'true' }), [
        'KAFKA_ENABLE_IDEMPOTENCE',
      ]);
    });
  }
});

describe('PRODUCE_TOPICS', () => {
  const table: [string | undefined, string[], string[]][] = [
    [undefined, ['orders', '_orders', 'a.b-c'], ['__consumer_offsets', '__x']],
    ['', ['orders'], ['__x']],
    ['orders', ['orders'], ['orders2', 'Orders', '__x']],
    [' orders , logs.* ', ['orders', 'logs.', 'logs.app'], ['log', 'logsx', '__x']],
    ['*', ['orders'], ['__x']],
    ['_*', ['_orders'], ['__x', 'orders']],
    ['__x', ['__x'], ['__y', 'orders']],
    ['__*', ['__x'], ['orders']],
    ['a.c', ['a.c'], ['abc']],
  ];
  for (const [text, allowed, refused] of table) {
    test(text === undefined ? 'unset' : `"${text}"`, () => {
      const { isTopicAllowed } = configure(text === undefined ? {} : { PRODUCE_TOPICS: text }).produce;
      for (const topic of allowed) assert.equal(isTopicAllowed(topic), true, topic);
      for (const topic of refused) assert.equal(isTopicAllowed(topic), false, topic);
    });
  }
  for (const text of ['a b', '*x', 'a*b', 'a**', 'a/b', 'ä', ',', ' , ']) {
    test(`"${text}" is refused`, () => {
      assert.deepEqual(problemNames({ PRODUCE_TOPICS: text }), ['PRODUCE_TOPICS']);
    });
  }
});

test('numbers: whole ones, inside their bounds', () => {
  const { connection, producer, produce } = configure({
    KAFKA_REQUEST_TIMEOUT_MS: '1500',
    KAFKA_CONNECTION_TIMEOUT_MS: ' 700 ',
    KAFKA_LINGER_MS: '5',
    KAFKA_BATCH_SIZE: '16384',
    KAFKA_MAX_REQUEST_SIZE: '2048',
    PRODUCE_MAX_BODY_BYTES: '1000',
    PRODUCE_MAX_QUEUE_BYTES: '4096',
  });
  assert.deepEqual(
    [connection.requestTimeout, connection.connectionTimeout, producer.lingerMs, producer.batchSize],
    [1500, 700, 5, 16384],
  );
  assert.deepEqual(
    [producer.maxRequestSize, produce.maxBodyBytes, producer.maxQueueBytes],
    [2048, 1000, 4096],
  );
  for (const name of [
    'KAFKA_REQUEST_TIMEOUT_MS',
    'KAFKA_BATCH_SIZE',
    'KAFKA_MAX_REQUEST_SIZE',
    'PRODUCE_MAX_BODY_BYTES',
  ]) {
    for (const text of ['0', '-1', '1.5', '0x10', '1e3', '10 ms', '2147483648', 'Infinity']) {
      assert.deepEqual(problemNames({ [name]: text }), [name], `${name}=${text}`);
    }
  }
});

test('a field that was emptied in the console is unset', () => {
  const emptied = Object.fromEntries(
    [
      'KAFKA_SECURITY_PROTOCOL',
      'KAFKA_SASL_MECHANISM',
      'KAFKA_SSL_CA_PEM',
      'KAFKA_SSL_CA_LOCATION',
      'KAFKA_CLIENT_ID',
      'KAFKA_ACKS',
      'KAFKA_ENABLE_IDEMPOTENCE',
      'KAFKA_LINGER_MS',
      'KAFKA_TOPIC',
      'LOG_LEVEL',
    ].map((name) => [name, ' ']),
  );
  const { connection, producer, produce } = configure(emptied);
  const defaults = read(complete);
  assert.equal(connection.clientId, defaults.connection.clientId);
  assert.equal(connection.securityProtocol, defaults.connection.securityProtocol);
  assert.deepEqual(connection.ssl, defaults.connection.ssl);
  assert.deepEqual(producer, defaults.producer);
  assert.equal(produce.defaultTopic, undefined);
});

test('KAFKA_CLIENT_ID, KAFKA_TOPIC and LOG_LEVEL', () => {
  const config = configure({ KAFKA_CLIENT_ID: 'mine', KAFKA_TOPIC: 'orders', LOG_LEVEL: 'DEBUG' });
  assert.equal(config.connection.clientId, 'mine');
  assert.equal(config.produce.defaultTopic, 'orders');
  assert.equal(config.logLevel, 'debug');
  for (const name of ['.', '..', 'a b', 'ä', 'a'.repeat(250)]) {
    assert.deepEqual(problemNames({ KAFKA_TOPIC: name }), ['KAFKA_TOPIC'], name);
  }
});
