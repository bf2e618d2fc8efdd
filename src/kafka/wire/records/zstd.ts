/**
 * Reads what zstd frames (RFC 8878) say of themselves before anything is decompressed. fzstd allocates the window
 * that a frame asks for, up to 2 GB, however little the frame holds.
 */
const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const SINGLE_SEGMENT = 0x20;
const CHECKSUM = 0x04;
const CHECKSUM_BYTES = 4;
const MAX_BLOCK = 128 * 1024;
const MIN_WINDOW_LOG = 10;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const blockTypes = { raw: 0, rle: 1, compressed: 2 } as const;

interface Frame {
  end: number;
  /** Where its window descriptor is; undefined where the content is the window. */
  windowAt: number | undefined;
  /** The most bytes that the frame can give. */
  bound: number;
}

/** The most bytes that all frames in `bytes` can give. Throws where they can't be read. */
export function zstdBound(bytes: Buffer): number {
  return frames(bytes).reduce((sum, { bound }) => sum + bound, 0);
}

/** Lowers the windows of the frames to what they can use: no match reaches back beyond what the frame holds. */
export function withFittingWindows(bytes: Buffer): Buffer {
  const fitted = Buffer.from(bytes);
  for (const { windowAt, bound } of frames(bytes)) {
    if (windowAt === undefined) continue;
    const log = Math.max(MIN_WINDOW_LOG, Math.ceil(Math.log2(Math.max(1, bound))));
    const descriptor = (log - MIN_WINDOW_LOG) << 3;
    if (descriptor < fitted.readUInt8(windowAt)) fitted.writeUInt8(descriptor, windowAt);
  }
  return fitted;
}

function frames(bytes: Buffer): Frame[] {
  const found: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const magic = bytes.readUInt32LE(at);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      at += 8 + bytes.readUInt32LE(at + 4);
      continue;
    }
    if (magic !== MAGIC) throw new Error('this is no zstd frame');
    const frame = readFrame(bytes, at);
    found.push(frame);
    at = frame.end;
  }
  return found;
}

function readFrame(bytes: Buffer, start: number): Frame {
  const flags = bytes.readUInt8(start + 4);
  const isSingleSegment = (flags & SINGLE_SEGMENT) !== 0;
  let at = start + 5;
  const windowAt = isSingleSegment ? undefined : at;
  const window = windowAt === undefined ? undefined : windowSize(bytes.readUInt8(at++));
  at += DICTIONARY_ID_BYTES[flags & 3] ?? 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0;
  const contentSize = readContentSize(bytes, at, sizeBytes);
  at += sizeBytes;
  const maxBlock = Math.min(MAX_BLOCK, window ?? contentSize ?? 0);
  let bound = 0;
  for (let isLast = false; !isLast; ) {
    const header = bytes.readUIntLE(at, 3);
    isLast = (header & 1) === 1;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (type > blockTypes.compressed || size > MAX_BLOCK)
      throw new Error('a block of the zstd frame is not valid');
    bound += type === blockTypes.compressed ? maxBlock : size;
    at += 3 + (type === blockTypes.rle ? 1 : size);
  }
  if (flags & CHECKSUM) at += CHECKSUM_BYTES;
  if (at > bytes.length) throw new Error('the zstd frame is cut short');
  if (contentSize === undefined) return { end: at, windowAt, bound };
  if (contentSize > bound)
    throw new Error(`a zstd frame gives ${bound} bytes at the most and announces ${contentSize}`);
  return { end: at, windowAt, bound: contentSize };
}

function readContentSize(bytes: Buffer, at: number, length: number): number | undefined {
  switch (length) {
    case 1:
      return bytes.readUInt8(at);
    case 2:
      return bytes.readUInt16LE(at) + 256;
    case 4:
      return bytes.readUInt32LE(at);
    case 8:
      return Number(bytes.readBigUInt64LE(at));
    default:
      return undefined;
  }
}

function windowSize(descriptor: number): number {
  const base = 2 ** (MIN_WINDOW_LOG + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
