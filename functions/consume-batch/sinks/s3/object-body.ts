import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createGzip, type Gzip } from 'node:zlib';
import type { FileCompression } from '../../../../src/object-storage/config.ts';
import type { Content } from '../../../../src/object-storage/store.ts';

/** Lines are handed on in blocks of this size, so that the same lines make the same bytes, however they come. */
const BLOCK_BYTES = 64 * 1024;

/** The lines of an object, compressed while they come: nothing is held twice. */
export class ObjectBody {
  readonly #gzip: Gzip | undefined;
  readonly #chunks: Buffer[] = [];
  readonly #sha256 = createHash('sha256');
  readonly #md5 = createHash('md5');
  #block: Buffer | undefined;
  #used = 0;
  #bytes = 0;
  #lineBytes = 0;

  constructor(compression: FileCompression) {
    if (compression === 'none') return;
    this.#gzip = createGzip();
    this.#gzip.on('data', (chunk: Buffer) => this.#keep(chunk));
  }

  /** Of the lines, before they are compressed. */
  get lineBytes(): number {
    return this.#lineBytes;
  }

  /** In memory now, about. */
  get heldBytes(): number {
    return this.#bytes + BLOCK_BYTES;
  }

  async add(line: string): Promise<void> {
    let bytes = Buffer.from(`${line}\n`);
    this.#lineBytes += bytes.length;
    while (bytes.length > 0) {
      this.#block ??= Buffer.allocUnsafe(BLOCK_BYTES);
      const copied = bytes.copy(this.#block, this.#used);
      this.#used += copied;
      bytes = bytes.subarray(copied);
      if (this.#used === BLOCK_BYTES) await this.#handOn();
    }
  }

  /** Nothing can be added after it. */
  async finish(): Promise<Content> {
    await this.#handOn();
    if (this.#gzip) {
      const ended = once(this.#gzip, 'end');
      this.#gzip.end();
      await ended;
    }
    return {
      chunks: this.#chunks,
      bytes: this.#bytes,
      sha256: this.#sha256.digest('hex'),
      md5: this.#md5.digest('base64'),
    };
  }

  async #handOn(): Promise<void> {
    const block = this.#block?.subarray(0, this.#used);
    if (!block) return;
    this.#block = undefined;
    this.#used = 0;
    if (!this.#gzip) this.#keep(block);
    else await new Promise<void>((resolve) => this.#gzip?.write(block, () => resolve()));
  }

  #keep(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#sha256.update(chunk);
    this.#md5.update(chunk);
  }
}
