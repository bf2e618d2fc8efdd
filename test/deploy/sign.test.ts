import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode, type RequestToSign, signatureHeaders } from '../../deploy/api/sign.ts';

const KEY = { accessKey: 'AKEXAMPLE', secretKey: 'example-secret-key' };
const NOW = new Date('2026-01-31T10:11:12.999Z');
const HOST = 'functiongraph.eu-de.otc.t-systems.com';

/** What @huaweicloud/huaweicloud-sdk-core 3.1.211 (AKSKSigner) answers for the same requests and key. */
const VENDOR_SIGNATURES: [name: string, request: RequestToSign, signed: string, signature: string][] = [
  [
    'a list with a query',
    {
      method: 'GET',
      path: '/v2/0123/fgs/functions',
      query: [
        ['marker', '0'],
        ['maxitems', '100'],
        ['package_name', 'default'],
      ],
      headers: { host: HOST, 'content-type': 'application/json', 'x-project-id': '0123' },
      body: '',
    },
    'content-type;host;x-project-id;x-sdk-date',
    '751e19c844caa723e6c2d35763f700f1784b8516cc257439d6ba36c1fb0b1494',
  ],
  [
    'a URN in the path and letters beyond ASCII in the body',
    {
      method: 'PUT',
      path: '/v2/0123/fgs/functions/urn:fss:eu-de:0123:function:default:a-b:latest/config',
      query: [],
      headers: { host: HOST, 'content-type': 'application/json', 'x-project-id': '0123' },
      body: JSON.stringify({ func_name: 'a-b', description: 'Größe ~ (1)*!' }),
    },
    'content-type;host;x-project-id;x-sdk-date',
    'b94e34facfa90080e3d6505be0110c629c823bc9bd6e1f78f546ae6caf522a5f',
  ],
  [
    'reserved characters in a query',
    {
      method: 'GET',
      path: '/v3/projects',
      query: [['name', "eu-de_my project!*'()"]],
      headers: { host: 'iam.eu-de.otc.t-systems.com', 'content-type': 'application/json' },
      body: '',
    },
    'content-type;host;x-sdk-date',
    'a784b025e8a8be25db4fcb2b54a63e470d2a2b2455bd7108fe7f89ae5131106a',
  ],
];

for (const [name, request, signed, signature] of VENDOR_SIGNATURES) {
  test(`signs as the vendor's SDK does: ${name}`, () => {
    const headers = signatureHeaders(request, KEY, NOW);
    assert.deepEqual(headers, {
      'x-sdk-date': '20260131T101112Z',
      authorization: `SDK-HMAC-SHA256 Access=AKEXAMPLE, SignedHeaders=${signed}, Signature=${signature}`,
    });
  });
}

function requestOf(name: string): RequestToSign {
  const found = VENDOR_SIGNATURES.find(([title]) => title.startsWith(name));
  assert.ok(found);
  return found[1];
}

test('an encoded path has the signature of the plain one', () => {
  const request = requestOf('a URN');
  const encoded = { ...request, path: request.path.replaceAll(':', '%3A') };
  assert.deepEqual(signatureHeaders(encoded, KEY, NOW), signatureHeaders(request, KEY, NOW));
});

test("a temporary key's token is sent and signed", () => {
  const request = requestOf('a list');
  const headers = signatureHeaders(request, { ...KEY, securityToken: 'token' }, NOW);
  assert.equal(headers['x-security-token'], 'token');
  assert.match(headers.authorization ?? '', /SignedHeaders=[^,]*;x-security-token,/);
});

test('everything but unreserved characters is encoded', () => {
  assert.equal(encode("aZ09-_.~ !'()*:/ü"), 'aZ09-_.~%20%21%27%28%29%2A%3A%2F%C3%BC');
});
