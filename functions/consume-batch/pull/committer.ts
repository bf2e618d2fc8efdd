import { Failure } from '../../../src/errors.ts';
import type { GroupOffsets } from '../../../src/kafka/fetch/group-offsets.ts';
import { partitionKey, type TopicPartition } from '../../../src/kafka/wire/by-topic.ts';
import type { OffsetToCommit } from '../../../src/kafka/wire/offset-commit.ts';
import type { Log } from '../../../src/log.ts';

interface Commit extends OffsetToCommit {
  resolve: (isCommitted: boolean) => void;
  reject: (error: unknown) => void;
}

/**
 * Commits offsets of several partitions at once: while one request is under way, the next offsets gather. Before each
 * commit, the committed offsets are read again. Where one is not the offset that this pull knows, another pull works
 * on the partition, and its offset stays.
 */
export class Committer {
  readonly #group: GroupOffsets;
  readonly #deadline: number;
  readonly #log: Log;
  readonly #known = new Map<string, number | undefined>();
  #waiting: Commit[] = [];
  #isFlushing = false;

  constructor(group: GroupOffsets, { deadline, log }: { deadline: number; log: Log }) {
    this.#group = group;
    this.#deadline = deadline;
    this.#log = log;
  }

  /** Sets the offset that was committed when the pull began; undefined: none. */
  know(at: TopicPartition, offset: number | undefined): void {
    this.#known.set(partitionKey(at), offset);
  }

  /** Resolves with false, and commits nothing, where another pull has committed. Throws a Failure. */
  commit(offset: OffsetToCommit): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...offset, resolve, reject });
      if (!this.#isFlushing) void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    this.#isFlushing = true;
    // Commits of the same turn of the loop share one request.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const commits = this.#waiting;
      this.#waiting = [];
      try {
        await this.#commitAll(commits);
      } catch (error) {
        for (const { reject } of commits) reject(error);
      }
    }
    this.#isFlushing = false;
  }

  async #commitAll(commits: readonly Commit[]): Promise<void> {
    const committed = await this.#group.committed(commits, this.#deadline);
    const ours: Commit[] = [];
    for (const [index, commit] of commits.entries()) {
      const { topic, partition, offset, resolve, reject } = commit;
      const current = committed[index];
      if (current instanceof Failure) {
        reject(current);
      } else if (current?.offset === this.#known.get(partitionKey(commit))) {
        ours.push(commit);
      } else {
        const fields = { topic, partition, committed: current?.offset, handledUpTo: offset };
        this.#log.warn(
          'another pull of this group is at work on the partition: it is left to that one',
          fields,
        );
        resolve(false);
      }
    }
    if (ours.length === 0) return;
    const failures = await this.#group.commit(ours, this.#deadline);
    for (const [index, commit] of ours.entries()) {
      const failure = failures[index];
      if (failure) {
        commit.reject(failure);
      } else {
        this.know(commit, commit.offset);
        commit.resolve(true);
      }
    }
  }
}
