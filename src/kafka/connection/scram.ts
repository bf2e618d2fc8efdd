import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { LoginBroken } from './request-failed.ts';

const deriveKey = promisify(pbkdf2);
const digests = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' } as const;

export type ScramMechanism = keyof typeof digests;

/** The minimum of RFC 5802, section 5.1, and of Kafka's own clients. */
const MIN_ITERATIONS = 4_096;
/** Kafka's tools create credentials with up to 16,384. Hashing can't be stopped once it has begun. */
const MAX_ITERATIONS = 131_072;
/** No channel binding: "n,," in base64. */
const CHANNEL = 'c=biws';

/**
 * The client's side of one SCRAM login (RFC 5802, without channel binding): `first`, then `final` with the server's
 * first message, then `verify` with its second. Throws where a server that knows the password would not say that.
 */
export class Scram {
  readonly #digest: (typeof digests)[ScramMechanism];
  readonly #password: string;
  readonly #nonce = randomBytes(18).toString('base64');
  readonly #firstBare: string;
  #serverSignature: Buffer | undefined;

  constructor(mechanism: ScramMechanism, { username, password }: { username: string; password: string }) {
    this.#digest = digests[mechanism];
    this.#password = password;
    const name = username.replaceAll('=', '=3D').replaceAll(',', '=2C');
    this.#firstBare = `n=${name},r=${this.#nonce}`;
  }

  first(): string {
    return `n,,${this.#firstBare}`;
  }

  async final(serverFirst: string): Promise<string> {
    const { nonce, salt, iterations } = readServerFirst(serverFirst);
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) {
      throw new LoginBroken("the broker's nonce does not go on from this client's");
    }
    if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
      const range = `from ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`;
      throw new LoginBroken(`the broker asks for ${iterations} iterations, and ${range} are taken`);
    }
    const length = createHash(this.#digest).digest().length;
    const salted = await deriveKey(this.#password, salt, iterations, length, this.#digest);
    const clientKey = this.#hmac(salted, 'Client Key');
    const storedKey = createHash(this.#digest).update(clientKey).digest();
    const withoutProof = `${CHANNEL},r=${nonce}`;
    const signed = `${this.#firstBare},${serverFirst},${withoutProof}`;
    this.#serverSignature = this.#hmac(this.#hmac(salted, 'Server Key'), signed);
    const signature = this.#hmac(storedKey, signed);
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0));
    return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`;
  }

  verify(serverFinal: string): void {
    const signature = Buffer.from(/^v=([^,]+)/.exec(serverFinal)?.[1] ?? '', 'base64');
    const expected = this.#serverSignature;
    if (signature.length !== expected?.length || !timingSafeEqual(signature, expected)) {
      throw new LoginBroken('the broker did not prove that it knows the password');
    }
  }

  #hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.#digest, key).update(text).digest();
  }
}

function readServerFirst(text: string): { nonce: string; salt: Buffer; iterations: number } {
  const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d{1,10})(?:,|$)/.exec(text) ?? [];
  if (!nonce || !salt || !iterations) throw new LoginBroken("the broker's first message cannot be read");
  return { nonce, salt: Buffer.from(salt, 'base64'), iterations: Number(iterations) };
}
