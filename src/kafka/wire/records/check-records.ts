import { VarintCursor } from './varint-cursor.ts';

/**
 * Throws unless the bytes hold the records that their batch announces: their number, without gaps, each as long as
 * its parts, with rising offsets. Whatever a codec made of the batch, it is checked before any record is handled.
 */
export function checkRecords(
  bytes: Buffer,
  { position, end }: { position: number; end: number },
  { count, lastDelta }: { count: number; lastDelta: number },
): void {
  if (lastDelta < 0 || count > lastDelta + 1) {
    throw new Error(`a batch of ${lastDelta + 1} offsets announces ${count} records`);
  }
  const cursor = new VarintCursor(bytes, position, end);
  let previous = -1;
  for (let index = 0; index < count; index++) {
    const length = cursor.varint();
    const next = cursor.position + length;
    if (length < 0 || next > end) throw new Error(`record ${index} of ${count} is cut short`);
    cursor.position += 1; // attributes
    cursor.varlong(); // timestamp delta
    const delta = cursor.varint();
    if (delta <= previous || delta > lastDelta) {
      throw new Error(
        `record ${index} of ${count} has offset ${delta} of its batch, behind ${previous}, up to ${lastDelta}`,
      );
    }
    previous = delta;
    cursor.skipBytes(); // key
    cursor.skipBytes(); // value
    cursor.skipHeaders();
    if (cursor.position !== next) throw new Error(`record ${index} of ${count} is not as long as its parts`);
  }
  if (cursor.position !== end)
    throw new Error(`${end - cursor.position} bytes are left behind ${count} records`);
}
