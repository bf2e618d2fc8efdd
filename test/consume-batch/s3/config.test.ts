import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { sinkConfig } from '../../../functions/consume-batch/sinks/open-sink.ts';
import { objectName } from '../../../functions/consume-batch/sinks/s3/object-name.ts';
import { Failure } from '../../../src/errors.ts';
import { readConfig } from '../../../src/variables.ts';

const SECRET = 'hunter2-not-to-be-seen';
const complete: Record<string, string> = {
  CONSUME_SINK: 's3',
  CONSUME_SINK_URL: 'https://obs.eu-de.otc.t-systems.com',
  CONSUME_SINK_S3_BUCKET_NAME: 'my-records',
  CONSUME_SINK_S3_REGION: 'eu-de',
};

function read(more: Record<string, string | undefined> = {}) {
  const variables: Record<string, string | undefined> = { ...complete, ...more };
  return readConfig((name) => variables[name], sinkConfig);
}

test('defaults', () => {
  assert.deepEqual(read(), {
    name: 's3',
    endpoint: 'https://obs.eu-de.otc.t-systems.com',
    ...{ bucket: 'my-records', region: 'eu-de', pathStyle: false, accessKey: undefined },
    template: '{topic}/{partition}/{start_offset}',
    ...{ fields: ['value'], compression: 'gzip' },
  });
});

test("an access key of one's own is kept secret", () => {
  const config = read({
    CONSUME_SINK_AWS_ACCESS_KEY_ID: 'AKID',
    CONSUME_SINK_AWS_SECRET_ACCESS_KEY: SECRET,
    CONSUME_SINK_AWS_SESSION_TOKEN: `${SECRET}-token`,
  });
  assert.ok(config.name === 's3' && config.accessKey);
  assert.equal(config.accessKey.secret.reveal(), SECRET);
  assert.equal(config.accessKey.token?.reveal(), `${SECRET}-token`);
  assert.ok(!JSON.stringify(config).includes(SECRET) && !inspect(config, { depth: 9 }).includes(SECRET));
});

test('fields are in one order, whatever the order of their names', () => {
  const config = read({ CONSUME_SINK_FORMAT_OUTPUT_FIELDS: 'headers, value,key,value' });
  assert.deepEqual(config.name === 's3' && config.fields, ['key', 'value', 'headers']);
});

describe('what is wrong is named, with a remedy and without a value', () => {
  const wrong: [Record<string, string | undefined>, RegExp][] = [
    [{ CONSUME_SINK_URL: undefined }, /CONSUME_SINK_URL is required with CONSUME_SINK=s3/],
    [{ CONSUME_SINK_URL: 'ftp://somewhere.example' }, /CONSUME_SINK_URL must be an http/],
    [{ CONSUME_SINK_URL: 'https://somewhere.example/path' }, /CONSUME_SINK_URL must be an endpoint/],
    [{ CONSUME_SINK_URL: 'https://u:p@somewhere.example' }, /CONSUME_SINK_URL must be/],
    [{ CONSUME_SINK_URL: 'http://127.0.0.1:9000' }, /CONSUME_SINK_S3_PATH_STYLE_ACCESS_ENABLED=true/],
    [{ CONSUME_SINK_URL: 'http://[::1]:9000' }, /CONSUME_SINK_S3_PATH_STYLE_ACCESS_ENABLED=true/],
    [{ CONSUME_SINK_S3_BUCKET_NAME: 'with.dots' }, /CONSUME_SINK_S3_PATH_STYLE_ACCESS_ENABLED=true/],
    [{ CONSUME_SINK_S3_BUCKET_NAME: undefined }, /CONSUME_SINK_S3_BUCKET_NAME is required/],
    [{ CONSUME_SINK_S3_BUCKET_NAME: 'No_Bucket' }, /CONSUME_SINK_S3_BUCKET_NAME must be .* 3 to 63/],
    [{ CONSUME_SINK_S3_REGION: '' }, /CONSUME_SINK_S3_REGION is required/],
    [{ CONSUME_SINK_S3_REGION: 'eu/de' }, /CONSUME_SINK_S3_REGION must be/],
    [{ CONSUME_SINK_S3_PATH_STYLE_ACCESS_ENABLED: 'yes' }, /PATH_STYLE_ACCESS_ENABLED must be one of/],
    [{ CONSUME_SINK_AWS_ACCESS_KEY_ID: 'AKID' }, /CONSUME_SINK_AWS_SECRET_ACCESS_KEY is required/],
    [{ CONSUME_SINK_AWS_SECRET_ACCESS_KEY: SECRET }, /CONSUME_SINK_AWS_ACCESS_KEY_ID is required/],
    [{ CONSUME_SINK_AWS_SESSION_TOKEN: SECRET }, /CONSUME_SINK_AWS_ACCESS_KEY_ID is required/],
    [{ CONSUME_SINK_FORMAT_OUTPUT_FIELDS: 'value,colour' }, /OUTPUT_FIELDS must hold some of key, value/],
    [{ CONSUME_SINK_FILE_COMPRESSION_TYPE: 'zstd' }, /FILE_COMPRESSION_TYPE must be one of gzip, none/],
    ...[
      '{topic}/{partition}',
      '{partition}/{start_offset}',
      '/{topic}/{partition}/{start_offset}',
      '{topic}//{partition}/{start_offset}',
      '{topic}/{partition}/{start_offset}/',
      '{topic}/{partition}/../{start_offset}',
      './{topic}/{partition}/{start_offset}',
      '{topic}/{partition}/{start_offset}/{hour}',
      '{topic}/{partition}/\n{start_offset}',
      `${'x'.repeat(800)}/{topic}/{partition}/{start_offset}`,
    ].map((template): [Record<string, string>, RegExp] => [
      { CONSUME_SINK_FILE_NAME_TEMPLATE: template },
      /CONSUME_SINK_FILE_NAME_TEMPLATE must (hold|be|leave)/,
    ]),
  ];
  for (const [variables, message] of wrong) {
    test(JSON.stringify(variables).slice(0, 80), () => {
      assert.throws(
        () => read(variables),
        (error) => {
          assert.ok(error instanceof Failure);
          assert.equal(error.code, 'CONFIG_INVALID');
          assert.match(error.message, message);
          assert.ok(!error.message.includes(SECRET));
          return true;
        },
      );
    });
  }
});

test("an object's name", () => {
  const at = { topic: 'a.{partition}-b', partition: 3, start: 42 };
  assert.equal(
    objectName('x y/{topic}/{partition}/{start_offset}-{topic}', at, 'gzip'),
    'x y/a.{partition}-b/3/00000000000000000042-a.{partition}-b.jsonl.gz',
  );
  assert.equal(
    objectName('{start_offset}', { ...at, start: 2 ** 53 - 1 }, 'none'),
    '00009007199254740991.jsonl',
  );
});
