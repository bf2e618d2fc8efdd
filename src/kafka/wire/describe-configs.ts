import Encoder from 'kafkajs/src/protocol/encoder.js';
import { Decoder } from './decoder.ts';
import type { Request } from './request.ts';

const types = { topic: 2, broker: 4 } as const;

/**
 * A DescribeConfigs request (v1 and v2) for settings of a topic, or of the broker that is asked (its name is its id).
 * The response holds those that this user may see.
 */
export function describeConfigsRequest(
  type: keyof typeof types,
  name: string,
  configNames: readonly string[],
): Request<ReadonlyMap<string, string | null>> {
  return {
    apiKey: 32,
    apiName: 'DescribeConfigs',
    highestVersion: 2,
    expectsResponse: true,
    encodeBody: () => {
      const names = configNames.map((configName) => new Encoder().writeString(configName));
      const resource = new Encoder().writeInt8(types[type]).writeString(name).writeArray(names);
      return [new Encoder().writeArray([resource]).writeBoolean(false).buffer];
    },
    decode: (payload) => {
      const decoder = new Decoder(payload);
      decoder.readInt32(); // throttle_time_ms
      return new Map(decoder.readArray(() => decodeResource(decoder)).flat());
    },
  };
}

function decodeResource(decoder: Decoder): [string, string | null][] {
  decoder.readInt16(); // error_code
  decoder.readString(); // error_message
  decoder.readInt8(); // resource_type
  decoder.readString(); // resource_name
  return decoder.readArray(() => {
    const entry: [string, string | null] = [decoder.readString() ?? '', decoder.readString()];
    decoder.readBoolean(); // read_only
    decoder.readInt8(); // config_source
    decoder.readBoolean(); // is_sensitive
    decoder.readArray(() => {
      decoder.readString();
      decoder.readString();
      decoder.readInt8();
    }); // synonyms
    return entry;
  });
}
