/** The first offset of a log, its end, and where it is no longer the log that was read. */
interface LogBounds {
  start: number;
  length: number;
  divergence: number | undefined;
}

interface Gap {
  /** For the log. */
  message: string;
  sentence: string;
  /** How many records are lost; undefined where nobody knows. */
  lost?: number;
  /** The first offset that was not read; undefined where KAFKA_AUTO_OFFSET_RESET has to decide. */
  goOnAt?: number;
}

/** Why the log can't be read on at the committed offset; undefined where it can. */
export function gapAt(committed: number, { start, length, divergence }: LogBounds): Gap | undefined {
  const message = 'the committed offset is out of range';
  if (divergence !== undefined && divergence >= 0) {
    const lost = committed - divergence;
    return {
      message: 'the log was truncated, as by an unclean leader election: what was handled is gone from it',
      sentence: `the log was truncated to offset ${divergence}: the ${lost} behind it are gone`,
      lost,
      goOnAt: Math.max(start, divergence),
    };
  }
  if (committed < start) {
    const lost = start - committed;
    return { message, lost, sentence: `${lost} records are gone, the log begins at ${start}` };
  }
  // The log was truncated or the topic created again. Nobody knows how much is lost.
  if (committed > length) return { message, sentence: `the log ends at ${length}` };
  if (divergence === undefined) return undefined;
  return { message, sentence: 'the log does not know the leader that wrote what is before it' };
}
