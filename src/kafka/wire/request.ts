/** One request of the Kafka protocol: how to write its body and read its response. */
export interface Request<T> {
  apiKey: number;
  apiName: string;
  /** The oldest version spoken here, 0 by default. A broker with a lower limit doesn't know this API. */
  lowestVersion?: number;
  /** The newest version that `encodeBody` and `decode` speak. The broker's limit may be lower. */
  highestVersion: number;
  /** False for Produce with `acks=0`, which the broker doesn't answer. */
  expectsResponse: boolean;
  /** It changes nothing. The connection may go on where the response is late. */
  isQuestion?: boolean;
  /** The longest silence of the broker while the response is awaited, however long that takes as a whole. */
  maxSilenceMs?: number;
  /** The answer for a broker that doesn't know this API; without it the request fails there. */
  unspoken?: { answer: T };
  /** The body in parts, in order. They are sent without being joined. */
  encodeBody(version: number): Buffer[];
  decode(payload: Buffer, version: number): T;
}

/** The frame around a body, in parts: length, API, version, correlation id, client id (request header v1). */
export function frame(
  { apiKey }: { apiKey: number },
  { version, correlationId, clientId }: { version: number; correlationId: number; clientId: string },
  body: readonly Buffer[],
): Buffer[] {
  const clientIdLength = Buffer.byteLength(clientId);
  const header = Buffer.allocUnsafe(headerSize(clientId));
  const bodyLength = body.reduce((sum, part) => sum + part.length, 0);
  header.writeInt32BE(header.length - 4 + bodyLength, 0);
  header.writeInt16BE(apiKey, 4);
  header.writeInt16BE(version, 6);
  header.writeInt32BE(correlationId, 8);
  header.writeInt16BE(clientIdLength, 12);
  header.write(clientId, 14);
  return [header, ...body];
}

/** The whole request in the newest version spoken here, for a socket without a session. */
export function requestFrame(request: Request<unknown>, correlationId: number, clientId: string): Buffer {
  const version = request.highestVersion;
  return Buffer.concat(frame(request, { version, correlationId, clientId }, request.encodeBody(version)));
}

export function headerSize(clientId: string): number {
  return 14 + Buffer.byteLength(clientId);
}
