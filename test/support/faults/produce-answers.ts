/**
 * A Produce answer about one partition of one topic, with another error code. Unless `keepsOffset`, it tells no
 * offset, as a broker's that did not append.
 */
export function withErrorCode(
  frame: Buffer,
  topic: string,
  code: number,
  { keepsOffset = false } = {},
): Buffer {
  const rewritten = Buffer.from(frame);
  // After correlation id, one topic with its name, and one partition with its number.
  const at = 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4;
  rewritten.writeInt16BE(code, at);
  if (!keepsOffset) rewritten.writeBigInt64BE(-1n, at + 2);
  return rewritten;
}
