import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { encodedPath, signed } from '../../../src/object-storage/sign.ts';
import { Secret } from '../../../src/secret.ts';
import { requireOfSdk } from '../../support/s3.ts';

/** The signer of AWS's own SDK. */
interface Judge {
  sign(request: object, options: { signingDate: Date }): Promise<{ headers: Record<string, string> }>;
}
const { SignatureV4 } = (await requireOfSdk('@smithy/signature-v4')) as {
  SignatureV4: new (options: object) => Judge;
};

class Sha256 {
  readonly #hash;
  readonly #secret: Uint8Array | string | undefined;
  #parts: Buffer[] = [];

  constructor(secret?: Uint8Array | string) {
    this.#secret = secret;
    this.#hash = createHash('sha256');
  }

  update(data: Uint8Array | string): void {
    this.#parts.push(Buffer.from(data as string));
  }

  async digest(): Promise<Uint8Array> {
    const data = Buffer.concat(this.#parts);
    const { createHmac } = await import('node:crypto');
    return this.#secret === undefined
      ? this.#hash.update(data).digest()
      : createHmac('sha256', this.#secret).update(data).digest();
  }
}

const now = new Date('2026-11-28T09:08:07.654Z');
const names = [
  'topic/0/00000000000000000042.jsonl.gz',
  "with space/and+plus/=equals/!'()*~tilde-_.",
  'ümläut/日本/🎉',
  'percent%2Fencoded/%25/&?#;:@,$',
  'a//b',
];

describe("a signature is that of AWS's SDK", () => {
  for (const name of names) {
    for (const token of [undefined, 'a/token+with=signs']) {
      for (const style of ['path', 'virtual-hosted']) {
        test(`${name}, ${style}${token ? ', with a token' : ''}`, async () => {
          const host = style === 'path' ? 'obs.example:8443' : 'bucket.obs.example:8443';
          const path = `${style === 'path' ? '/bucket' : ''}/${encodedPath(name)}`;
          const bodySha256 = createHash('sha256').update('body').digest('hex');
          const headers = { host, 'content-md5': 'x==', 'x-amz-meta-next-offset': '7' };
          const key = {
            id: 'AKID',
            secret: new Secret('s3cr/et'),
            token: token ? new Secret(token) : undefined,
          };
          const ours = signed({ method: 'PUT', path, headers, bodySha256 }, { key, region: 'eu-de', now });
          const judge = new SignatureV4({
            ...{ region: 'eu-de', service: 's3', sha256: Sha256, uriEscapePath: false },
            credentials: {
              accessKeyId: 'AKID',
              secretAccessKey: 's3cr/et',
              ...(token && { sessionToken: token }),
            },
          });
          const theirs = await judge.sign(
            {
              ...{ method: 'PUT', protocol: 'https:', hostname: host, path, query: {} },
              headers: { ...headers, 'x-amz-content-sha256': bodySha256 },
            },
            { signingDate: now },
          );
          assert.equal(ours.authorization, theirs.headers.authorization);
          assert.equal(ours['x-amz-security-token'], token);
        });
      }
    }
  }
});
