import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeIn, type Verdict, verdictOf } from '../../../src/object-storage/store-answer.ts';

const answers: [status: number, code: string | undefined, verdict: Extract<Verdict, string> | RegExp][] = [
  [200, undefined, 'done'],
  [204, undefined, 'done'],
  [301, 'PermanentRedirect', /CONSUME_SINK_URL and CONSUME_SINK_S3_REGION/],
  [307, 'TemporaryRedirect', /CONSUME_SINK_URL and CONSUME_SINK_S3_REGION/],
  [400, 'AuthorizationHeaderMalformed', /CONSUME_SINK_S3_REGION/],
  [400, 'BadDigest', 'again'],
  [400, 'ExpiredToken', /CONSUME_SINK_AWS_SESSION_TOKEN/],
  [400, 'IncompleteBody', 'again'],
  [400, 'InvalidBucketName', /CONSUME_SINK_S3_BUCKET_NAME/],
  [400, 'RequestTimeout', 'again'],
  [400, undefined, /CONSUME_SINK_URL/],
  [403, 'AccessDenied', /PutObject/],
  [403, 'InvalidAccessKeyId', /CONSUME_SINK_AWS_ACCESS_KEY_ID/],
  [403, 'RequestTimeTooSkewed', /clock/],
  [403, 'SignatureDoesNotMatch', /CONSUME_SINK_AWS_SECRET_ACCESS_KEY/],
  [403, 'SomethingNew', /access key/],
  [404, 'NoSuchBucket', /create the bucket/],
  [404, undefined, /CONSUME_SINK_URL/],
  [408, undefined, 'again'],
  [409, 'OperationAborted', 'again'],
  [429, undefined, 'again'],
  [500, 'InternalError', 'again'],
  [501, 'NotImplemented', /CONSUME_SINK_URL/],
  [503, 'SlowDown', 'again'],
];

for (const [status, code, expected] of answers) {
  test(`${status} ${code ?? ''}`, () => {
    const verdict = verdictOf(status, code);
    if (typeof expected === 'string') assert.equal(verdict, expected);
    else assert.match(typeof verdict === 'string' ? verdict : verdict.remedy, expected);
  });
}

test('the code is read from XML, and from nothing else', () => {
  assert.equal(
    codeIn('<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>m</Message></Error>'),
    'SlowDown',
  );
  assert.equal(codeIn('<html>502 Bad Gateway</html>'), undefined);
  assert.equal(codeIn('<Code>not a code: x=y</Code>'), undefined);
  assert.equal(codeIn(''), undefined);
});
