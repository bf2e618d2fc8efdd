/**
 * What a pull writes beside an offset, as its metadata. Kafka tells nobody when an offset was committed, or when
 * a group became empty, and its offsets expire by these times (KIP-211).
 */
interface OffsetNote {
  /** Epoch milliseconds: when the offset was committed. */
  committedAt: number;
  /** Epoch milliseconds: when a pull joined the group and left it, so that its lifetime began anew. */
  emptiedAt?: number | undefined;
}

export function noteText({ committedAt, emptiedAt }: OffsetNote): string {
  return JSON.stringify({
    committedAt: new Date(committedAt).toISOString(),
    ...(emptiedAt !== undefined && { emptiedAt: new Date(emptiedAt).toISOString() }),
  });
}

/** Undefined where somebody else wrote the metadata, or nobody. */
export function readNote(metadata: string): OffsetNote | undefined {
  try {
    const { committedAt, emptiedAt } = JSON.parse(metadata);
    const note = { committedAt: Date.parse(committedAt), emptiedAt: Date.parse(emptiedAt) };
    if (Number.isNaN(note.committedAt)) return undefined;
    return Number.isNaN(note.emptiedAt) ? { committedAt: note.committedAt } : note;
  } catch {
    return undefined;
  }
}
