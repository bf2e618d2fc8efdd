import Encoder from 'kafkajs/src/protocol/encoder.js';
import { kafkaErrors } from '../error-codes.ts';
import { Decoder } from './decoder.ts';
import { NOT_SAID, type Operation, readOperations } from './operations.ts';
import type { Request } from './request.ts';

/** The kind of members that a group has, or had last. Each kind has its own API. */
export type GroupType = 'classic' | 'consumer' | 'share' | 'streams';

export interface GroupDescription {
  errorCode: number;
  type: GroupType;
  /** `Empty`, `Stable`, `Dead` … */
  state: string;
  /** Undefined where the response doesn't count them. */
  members: number | undefined;
  /** The kind of members that a classic group has had, such as `consumer`; empty where it never had any. */
  protocolType: string;
  /** Undefined where the broker is too old to say (before Kafka 2.3). */
  operations: Operation[] | undefined;
}

/** A group as described by a broker that may not know every type of group. */
export interface DescribedGroup extends GroupDescription {
  /** Whether the broker knows types of members that DescribeGroups doesn't. */
  knowsTypes: boolean;
}

/** DescribeGroups v3 is the first version that lists the user's permissions. */
const CLASSIC = { apiKey: 15, apiName: 'DescribeGroups', highestVersion: 3 };

/** KIP-848, KIP-932 and KIP-1071. Their responses begin alike, but a streams group has more before its members. */
const typed = {
  consumer: { apiKey: 69, apiName: 'ConsumerGroupDescribe', highestVersion: 1, countsMembers: true },
  share: { apiKey: 77, apiName: 'ShareGroupDescribe', highestVersion: 1, countsMembers: true },
  streams: { apiKey: 89, apiName: 'StreamsGroupDescribe', highestVersion: 0, countsMembers: false },
} as const;

/** The errors for a group of another type, or of a type that is switched off. */
const ofAnotherType: readonly number[] = [kafkaErrors.GROUP_ID_NOT_FOUND, kafkaErrors.UNSUPPORTED_VERSION];

/**
 * Describes a group of any type, as its coordinator sees it, without joining. DescribeGroups alone calls a group of a
 * newer type dead, so every API that the broker has is asked. `ask` sends one of these requests.
 */
export async function describeGroup(
  groupId: string,
  ask: (request: Request<GroupDescription | undefined>) => Promise<GroupDescription | undefined>,
): Promise<DescribedGroup> {
  const types = Object.keys(typed) as (keyof typeof typed)[];
  const [classic, ...others] = await Promise.all([
    ask(describeClassicGroup(groupId)),
    ...types.map((type) => ask(describeTypedGroup(groupId, type))),
  ]);
  if (!classic) throw new RangeError('DescribeGroups was not answered');
  const known = others.filter((group) => group !== undefined);
  const found = known.find(({ errorCode }) => !ofAnotherType.includes(errorCode)) ?? classic;
  return { ...found, operations: classic.operations, knowsTypes: known.length > 0 };
}

function describeClassicGroup(groupId: string): Request<GroupDescription> {
  return {
    ...CLASSIC,
    expectsResponse: true,
    encodeBody: (version) => {
      const body = new Encoder().writeArray([new Encoder().writeString(groupId)]);
      if (version >= 3) body.writeBoolean(true);
      return [body.buffer];
    },
    decode: (payload, version) => {
      const decoder = new Decoder(payload);
      if (version >= 1) decoder.readInt32(); // throttle_time_ms
      const [group] = decoder.readArray(() => decodeClassicGroup(decoder, version));
      if (!group) throw new RangeError('the answer holds no group');
      return group;
    },
  };
}

function decodeClassicGroup(decoder: Decoder, version: number): GroupDescription {
  const errorCode = decoder.readInt16();
  decoder.readString(); // group_id
  const state = decoder.readString() ?? '';
  const protocolType = decoder.readString() ?? '';
  decoder.readString(); // protocol_data
  const members = decoder.readArray(() => {
    decoder.readString(); // member_id
    decoder.readString(); // client_id
    decoder.readString(); // client_host
    decoder.readBytes(); // member_metadata
    decoder.readBytes(); // member_assignment
  }).length;
  const operations = readOperations(version >= 3 ? decoder.readInt32() : NOT_SAID);
  return { errorCode, type: 'classic', state, members, protocolType, operations };
}

/** Undefined where the broker has no groups of this type. */
function describeTypedGroup(
  groupId: string,
  type: keyof typeof typed,
): Request<GroupDescription | undefined> {
  const { countsMembers, ...api } = typed[type];
  return {
    ...api,
    expectsResponse: true,
    unspoken: { answer: undefined },
    encodeBody: () => [
      new Encoder()
        .writeUVarInt(0) // of the request's header
        .writeUVarIntArray([new Encoder().writeUVarIntString(groupId)])
        .writeBoolean(false) // include_authorized_operations
        .writeUVarInt(0).buffer,
    ],
    decode: (payload) => {
      const decoder = new Decoder(payload);
      decoder.readTaggedFields(); // of the header
      decoder.readInt32(); // throttle_time_ms
      if (decoder.readUVarInt() < 2) throw new RangeError('the answer holds no group');
      const errorCode = decoder.readInt16();
      decoder.readUVarIntString(); // error_message
      decoder.readUVarIntString(); // group_id
      const state = decoder.readUVarIntString() ?? '';
      decoder.readInt32(); // group_epoch
      decoder.readInt32(); // assignment_epoch
      if (countsMembers) decoder.readUVarIntString(); // assignor_name
      const members = countsMembers ? decoder.readUVarInt() - 1 : undefined;
      return { errorCode, type, state, members, protocolType: '', operations: undefined };
    },
  };
}
