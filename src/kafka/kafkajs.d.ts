// Types for the parts of kafkajs 2.2.4 (pinned) that are used below its public API.

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    readonly buffer: Buffer;
    writeInt8(value: number): this;
    writeInt16(value: number): this;
    writeInt32(value: number): this;
    writeInt64(value: number | bigint | string): this;
    writeBoolean(value: boolean): this;
    writeString(value: string | null): this;
    writeBytes(value: Buffer): this;
    writeArray(values: readonly Encoder[]): this;
    writeUVarInt(value: number): this;
    writeUVarIntString(value: string | null): this;
    writeUVarIntArray(values: readonly Encoder[]): this;
    writeEncoder(value: Encoder): this;
  }
}
