const SIZE_BYTES = 4;
/** The largest response before the login: lists of APIs and mechanisms, and steps of the login. */
export const MAX_BYTES_BEFORE_LOGIN = 1024 * 1024;
/** Far above every response that is asked for. A larger size does not come from a broker: "HTTP" reads as 1.2 GB. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Assembles frames from what a socket delivers: four bytes of size, then that many bytes. Every byte is copied once,
 * so the buffer given to `push` may be reused.
 */
export class FrameReader {
  readonly #onFrame: (frame: Buffer) => void;
  readonly #size = Buffer.alloc(SIZE_BYTES);
  #frame: Buffer | undefined;
  /** Bytes of the size that have come, or of the frame once there is one. */
  #filled = 0;
  #maxBytes = MAX_BYTES_BEFORE_LOGIN;

  /** `onFrame` gets each frame with its size in front. */
  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** After the login, frames may be as large as the responses that are asked for. */
  trust(): void {
    this.#maxBytes = MAX_BYTES;
  }

  /** Throws a RangeError at a size that no broker sends, and whatever `onFrame` throws. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const frame = this.#frame;
      const target = frame ?? this.#size;
      const end = Math.min(bytes.length, at + target.length - this.#filled);
      target.set(bytes.subarray(at, end), this.#filled);
      this.#filled += end - at;
      at = end;
      if (this.#filled < target.length) return;
      if (!frame) this.#begin();
      if (this.#frame && this.#filled === this.#frame.length) this.#end(this.#frame);
    }
  }

  #begin(): void {
    const size = this.#size.readInt32BE(0);
    if (size < 0 || size > this.#maxBytes) throw new RangeError(`a frame of ${size} bytes is announced`);
    this.#frame = Buffer.allocUnsafe(SIZE_BYTES + size);
    this.#size.copy(this.#frame);
  }

  #end(frame: Buffer): void {
    this.#frame = undefined;
    this.#filled = 0;
    this.#onFrame(frame);
  }
}
