// The parts of kafkajs 2.2.4 (pinned) that are used below its public API, as far as they are used.

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

declare module 'kafkajs/src/protocol/decoder.js' {
  export default class Decoder {
    constructor(buffer: Buffer);
    offset: number;
    readInt8(): number;
    readBytes(length?: number): Buffer | null;
    readUVarInt(): number;
    readUVarIntString(): string | null;
    readUVarIntArray<T>(read: (decoder: Decoder) => T): T[] | null;
    readTaggedFields(): unknown;
    readInt16(): number;
    readInt32(): number;
    readInt64(): bigint;
    readString(): string | null;
    readBoolean(): boolean;
    readArray<T>(read: (decoder: Decoder) => T): T[];
  }
}

declare module 'kafkajs/src/protocol/error.js' {
  /** The error that a code of the protocol stands for: `type` is its name in the protocol. */
  export function createErrorFromCode(code: number): Error & { type: string; code: number };
}

declare module 'kafkajs/src/protocol/requests/definition' {
  import type Encoder from 'kafkajs/src/protocol/encoder.js';

  export interface Definition<Arguments, Response> {
    versions: string[];
    protocol(choice: { version: number }): (args: Arguments) => {
      request: { apiKey: number; apiName: string; encode(): Promise<Encoder> };
      response: { decode(payload: Buffer): Promise<Response>; parse(decoded: Response): Promise<Response> };
    };
  }
}

declare module 'kafkajs/src/protocol/requests/apiVersions/index.js' {
  import type { Definition } from 'kafkajs/src/protocol/requests/definition';

  const definition: Definition<
    void,
    { apiVersions: { apiKey: number; minVersion: number; maxVersion: number }[] }
  >;
  export default definition;
}

declare module 'kafkajs/src/protocol/requests/initProducerId/index.js' {
  import type { Definition } from 'kafkajs/src/protocol/requests/definition';

  const definition: Definition<
    { transactionalId?: string; transactionTimeout?: number },
    { errorCode: number; producerId: string; producerEpoch: number }
  >;
  export default definition;
}

declare module 'kafkajs/src/protocol/requests/findCoordinator/index.js' {
  import type { Definition } from 'kafkajs/src/protocol/requests/definition';

  const definition: Definition<
    { groupId: string; coordinatorType: 0 | 1 },
    { errorCode: number; coordinator: { nodeId: number; host: string; port: number } }
  >;
  export default definition;
}

declare module 'kafkajs/src/protocol/requests/listOffsets/index.js' {
  import type { Definition } from 'kafkajs/src/protocol/requests/definition';

  const definition: Definition<
    {
      isolationLevel: 0 | 1;
      topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[];
    },
    { responses: { topic: string; partitions: { partition: number; errorCode: number; offset: string }[] }[] }
  >;
  export default definition;
}

declare module 'kafkajs/src/protocol/requests/addPartitionsToTxn/index.js' {
  import type { Definition } from 'kafkajs/src/protocol/requests/definition';

  const definition: Definition<
    {
      transactionalId: string;
      producerId: string;
      producerEpoch: number;
      topics: { topic: string; partitions: number[] }[];
    },
    { errors: { topic: string; partitionErrors: { partition: number; errorCode: number }[] }[] }
  >;
  export default definition;
}

declare module 'kafkajs/src/protocol/requests/addOffsetsToTxn/index.js' {
  import type { Definition } from 'kafkajs/src/protocol/requests/definition';

  const definition: Definition<
    { transactionalId: string; producerId: string; producerEpoch: number; groupId: string },
    { errorCode: number }
  >;
  export default definition;
}

declare module 'kafkajs/src/protocol/requests/endTxn/index.js' {
  import type { Definition } from 'kafkajs/src/protocol/requests/definition';

  const definition: Definition<
    { transactionalId: string; producerId: string; producerEpoch: number; transactionResult: boolean },
    { errorCode: number }
  >;
  export default definition;
}

declare module 'kafkajs/src/protocol/requests/describeConfigs/index.js' {
  import type { Definition } from 'kafkajs/src/protocol/requests/definition';

  const definition: Definition<
    {
      resources: { type: number; name: string; configNames: string[] }[];
      includeSynonyms: boolean;
    },
    {
      resources: { errorCode: number; configEntries: { configName: string; configValue: string | null }[] }[];
    }
  >;
  export default definition;
}
