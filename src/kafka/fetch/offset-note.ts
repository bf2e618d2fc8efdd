/**
 * The note that a pull stores beside an offset, as its metadata. Kafka doesn't tell when an offset was committed or
 * when a group became empty, although offsets expire by these times (KIP-211).
 */
interface OffsetNote {
  /** Epoch milliseconds: when the offset was committed. */
  committedAt: number;
  /** Epoch milliseconds: when a pull last joined the group and left it, which began the lifetime again. */
  emptiedAt?: number | undefined;
  /** What a sink is about to write from this offset on, in its own words. */
  intent?: string | undefined;
}

export function noteText({ committedAt, emptiedAt, intent }: OffsetNote): string {
  return JSON.stringify({
    committedAt: new Date(committedAt).toISOString(),
    ...(emptiedAt !== undefined && { emptiedAt: new Date(emptiedAt).toISOString() }),
    ...(intent !== undefined && { intent }),
  });
}

/** Undefined where the metadata is empty or not a note of a pull. */
export function readNote(metadata: string): OffsetNote | undefined {
  try {
    const { committedAt, emptiedAt, intent } = JSON.parse(metadata);
    const note = { committedAt: Date.parse(committedAt), emptiedAt: Date.parse(emptiedAt) };
    if (Number.isNaN(note.committedAt)) return undefined;
    return {
      committedAt: note.committedAt,
      ...(!Number.isNaN(note.emptiedAt) && { emptiedAt: note.emptiedAt }),
      ...(typeof intent === 'string' && { intent }),
    };
  } catch {
    return undefined;
  }
}
