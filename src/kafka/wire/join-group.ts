import Encoder from 'kafkajs/src/protocol/encoder.js';
import { Decoder } from './decoder.ts';
import type { Request } from './request.ts';

/** The assignors of classic consumers, so that one that joins at the same moment finds its own. */
const ASSIGNORS = ['range', 'cooperative-sticky', 'sticky', 'roundrobin', 'RoundRobinAssigner'];
/** The subscription of a consumer that wants no topic (ConsumerProtocolSubscription v0). */
const NO_SUBSCRIPTION = new Encoder().writeInt16(0).writeArray([]).writeInt32(-1).buffer;

export interface JoinedGroup {
  errorCode: number;
  memberId: string;
}

/** A JoinGroup request (v2 to v5) of a consumer that wants no topic. The response waits for the group's rebalance. */
export function joinGroupRequest(
  groupId: string,
  memberId: string,
  { sessionTimeoutMs }: { sessionTimeoutMs: number },
): Request<JoinedGroup> {
  return {
    apiKey: 11,
    apiName: 'JoinGroup',
    highestVersion: 5,
    expectsResponse: true,
    encodeBody: (version) => {
      const body = new Encoder()
        .writeString(groupId)
        .writeInt32(sessionTimeoutMs)
        .writeInt32(sessionTimeoutMs) // rebalance_timeout_ms
        .writeString(memberId);
      if (version >= 5) body.writeString(null); // group_instance_id
      const protocols = ASSIGNORS.map((name) => new Encoder().writeString(name).writeBytes(NO_SUBSCRIPTION));
      return [body.writeString('consumer').writeArray(protocols).buffer];
    },
    decode: (payload) => {
      const decoder = new Decoder(payload);
      decoder.readInt32(); // throttle_time_ms
      const errorCode = decoder.readInt16();
      decoder.readInt32(); // generation_id
      decoder.readString(); // protocol_name
      decoder.readString(); // leader
      return { errorCode, memberId: decoder.readString() ?? '' };
    },
  };
}

/** A LeaveGroup request (v1 and v2) of one member. */
export function leaveGroupRequest(groupId: string, memberId: string): Request<{ errorCode: number }> {
  return {
    apiKey: 13,
    apiName: 'LeaveGroup',
    highestVersion: 2,
    expectsResponse: true,
    encodeBody: () => [new Encoder().writeString(groupId).writeString(memberId).buffer],
    decode: (payload) => {
      const decoder = new Decoder(payload);
      decoder.readInt32(); // throttle_time_ms
      return { errorCode: decoder.readInt16() };
    },
  };
}
