import Encoder from 'kafkajs/src/protocol/encoder.js';
import { type CommittedOffset, type OffsetFetchResponse, offsetFetchRequest } from './offset-fetch.ts';
import type { Request } from './request.ts';

export type { CommittedOffset };

const EVERY_TOPIC = -1;
/** The last version before tagged fields. */
const HIGHEST_VERSION = 5;

/** Every offset that a group has committed and this user may see. */
export function committedOffsetsRequest(groupId: string): Request<OffsetFetchResponse> {
  return {
    ...offsetFetchRequest(groupId, []),
    highestVersion: HIGHEST_VERSION,
    encodeBody: () => [new Encoder().writeString(groupId).writeInt32(EVERY_TOPIC).buffer],
  };
}
