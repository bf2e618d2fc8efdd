// The parts that are used of libraries without types of their own.

declare module 'snappyjs' {
  /** Answers with the kind of array that it is given; throws where the block would grow beyond `maxLength`. */
  export function uncompress(compressed: Uint8Array, maxLength?: number): Uint8Array;
}

declare module 'lz4js' {
  export function compress(bytes: Uint8Array): Uint8Array;
}
