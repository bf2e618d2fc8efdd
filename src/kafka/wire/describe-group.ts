import Decoder from 'kafkajs/src/protocol/decoder.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { readBoundedArray } from './bounded-array.ts';
import { NOT_SAID, type Operation, readOperations } from './operations.ts';
import type { Request } from './request.ts';

/** v3 is the first that tells what the user may do; kafkajs stops at v2. */
const HIGHEST_VERSION = 3;
const API_KEY = 15;

export interface GroupDescription {
  errorCode: number;
  /** `Empty`, `Stable`, `Dead` … */
  state: string;
  members: number;
  /** Undefined where the broker is too old to say (before Kafka 2.3). */
  operations: Operation[] | undefined;
}

/** A DescribeGroups request (v0 to v3) for one group: nobody joins it. */
export function describeGroupRequest(groupId: string): Request<GroupDescription> {
  return {
    apiKey: API_KEY,
    apiName: 'DescribeGroups',
    highestVersion: HIGHEST_VERSION,
    expectsResponse: true,
    encodeBody: (version) => {
      const body = new Encoder().writeArray([new Encoder().writeString(groupId)]);
      if (version >= 3) body.writeBoolean(true);
      return [body.buffer];
    },
    decode: (payload, version) => {
      const decoder = new Decoder(payload);
      if (version >= 1) decoder.readInt32(); // throttle_time_ms
      const [group] = readBoundedArray(decoder, payload, () => decodeGroup(decoder, payload, version));
      if (!group) throw new RangeError('the answer holds no group');
      return group;
    },
  };
}

function decodeGroup(decoder: Decoder, payload: Buffer, version: number): GroupDescription {
  const errorCode = decoder.readInt16();
  decoder.readString(); // group_id
  const state = decoder.readString() ?? '';
  decoder.readString(); // protocol_type
  decoder.readString(); // protocol_data
  const members = readBoundedArray(decoder, payload, () => {
    decoder.readString(); // member_id
    if (version >= 4) decoder.readString();
    decoder.readString(); // client_id
    decoder.readString(); // client_host
    decoder.readBytes(); // member_metadata
    decoder.readBytes(); // member_assignment
  }).length;
  const operations = readOperations(version >= 3 ? decoder.readInt32() : NOT_SAID);
  return { errorCode, state, members, operations };
}
