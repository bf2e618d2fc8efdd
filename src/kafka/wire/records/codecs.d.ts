// Types for the used parts of libraries that have none.

declare module 'snappyjs' {
  /** Returns the kind of array that it gets. Throws where the block would exceed `maxLength`. */
  export function uncompress(compressed: Uint8Array, maxLength?: number): Uint8Array;
}

declare module 'lz4js' {
  export function compress(bytes: Uint8Array): Uint8Array;
}
