import { Failure } from '../../../../src/errors.ts';
import { RecordsRefused } from '../../../../src/kafka/produce/transactional-producer.ts';
import type { TopicPartition } from '../../../../src/kafka/wire/by-topic.ts';
import type { LogFields } from '../../../../src/log.ts';
import type { StorageConfig } from '../../../../src/object-storage/config.ts';
import type { Content, Store } from '../../../../src/object-storage/store.ts';
import type { PullConfig } from '../../config.ts';
import type { FencedPartition } from '../../pull/fenced-handler.ts';
import { FencedOffset, type FencedOffsetOptions } from '../../pull/fenced-offset.ts';
import { addResult, type BatchResult, nothingDone, type PulledBatch } from '../../pull/partition-handler.ts';
import type { Position } from '../../pull/positions.ts';
import { deadLetterFailure, logDeadLetter } from '../../records/dead-letter.ts';
import { afterRefusal, refusedFailure } from '../../records/dead-letter-fit.ts';
import { tellWritten, type WrittenBatch } from '../../records/written-batch.ts';
import { buildId } from './build-id.ts';
import { type DeadWithLetter, GatheredObject, type Prepared } from './gathered-object.ts';
import { type Intent, readIntent } from './intent.ts';
import { objectName } from './object-name.ts';
import { type PrepareOptions, prepare } from './prepare.ts';
import { rebuild } from './rebuild.ts';

/** What an upload is assumed to do in a second, so that a pull stops gathering early enough. */
const UPLOAD_BYTES_A_SECOND = 4 * 1024 * 1024;
const UPLOAD_RESERVE_MS = 1_000;

interface S3PartitionOptions extends FencedOffsetOptions, Omit<PrepareOptions, 'fields'> {
  config: StorageConfig;
  store: Store;
  reading: PullConfig;
  /** Of the objects of all partitions that are being gathered. */
  memory: { heldBytes: number };
}

/** Records that are in the store or were left out, and whose offset is not committed yet. */
interface Due {
  next: number;
  leaderEpoch: number;
  dead: readonly DeadWithLetter[];
  processed: number;
  /** For the log; undefined where there is no object. */
  written?: { figures: WrittenBatch; about: LogFields };
}

/**
 * Writes one partition into objects, each record exactly once, into any store. First the intent to write offsets X to
 * Y is committed beside offset X, then the object is written, then Y is committed. Whoever finds an intent makes exactly
 * that object, so that a predecessor's late PUT changes nothing.
 */
export class S3Partition implements FencedPartition {
  readonly offset: FencedOffset;
  readonly #options: S3PartitionOptions;
  readonly #source: TopicPartition;
  /** Where the partition begins if nothing is committed. */
  #from = 0;
  #object: GatheredObject | undefined;
  #heldBytes = 0;
  #due: Due[] = [];
  /** What finishing a predecessor's object came to. */
  #finished: BatchResult | undefined;
  /** After a failure nothing more is written: the next pull goes on with the intent. */
  #isOver = false;

  constructor({ topic, partition }: TopicPartition, options: S3PartitionOptions) {
    this.#source = { topic, partition };
    this.#options = options;
    this.offset = new FencedOffset({ topic, partition }, options);
  }

  async begin(position: Position): Promise<Position> {
    const begun = await this.offset.begin(position);
    this.#from = begun.from;
    const { intent, offset, isTakenOver } = this.offset;
    if (isTakenOver || intent === undefined || offset === undefined) return begun;
    const result = await this.#finishAnnounced(offset, intent);
    if (result.stop instanceof Failure) throw result.stop;
    if (result.to === undefined) return begun;
    this.#finished = { ...result, to: undefined };
    return { ...begun, committed: result.to, from: result.to };
  }

  async handle({ records, nextOffset, leaderEpoch }: PulledBatch): Promise<BatchResult> {
    if (this.offset.isTakenOver) return nothingDone(this.offset.takenOver(undefined));
    if (records.length === 0 && !this.#object && this.#due.length === 0) {
      this.#due.push({ next: nextOffset, leaderEpoch, dead: [], processed: 0 });
      return this.#commitDue();
    }
    const startedAt = Date.now();
    const { fields } = this.#options.config;
    const { prepared, stop } = await prepare(records, { ...this.#options, fields });
    const transformMs = Date.now() - startedAt;
    const next = stop ? (records[prepared.length]?.offset ?? nextOffset) : nextOffset;
    const result = await this.#gather(prepared, { next, leaderEpoch });
    if (this.#object) this.#object.transformMs += transformMs;
    if (result.stop) return result;
    if (stop) return { ...result, failed: result.failed + 1, stop };
    return this.#isTimeUp ? { ...result, stop: 'out of time' } : result;
  }

  /** Writes what was gathered. */
  async end(): Promise<BatchResult> {
    const sum = this.#finished ?? nothingDone(undefined);
    this.#finished = undefined;
    if (this.#isOver || this.offset.isTakenOver) return sum;
    addResult(sum, await this.#flush());
    const { stop } = sum;
    if (!this.#isOver && this.#due.length > 0) addResult(sum, await this.#commitDue());
    return { ...sum, stop: sum.stop ?? stop };
  }

  /** Puts records into the object, or into several where one can't take them. */
  async #gather(
    prepared: readonly Prepared[],
    { next, leaderEpoch }: Pick<Due, 'next' | 'leaderEpoch'>,
  ): Promise<BatchResult> {
    const { memory, reading } = this.#options;
    this.#object ??= this.#newObject();
    const object = this.#object;
    const isFull = object.lineBytes + bytesOf(prepared) > reading.maxBytes;
    if ((!isFull && object.takes(prepared, next)) || (object.isEmpty && prepared.length <= 1)) {
      await object.add(prepared, next, leaderEpoch);
      this.#hold(object.heldBytes);
      return memory.heldBytes > reading.maxBytes ? this.#flush() : nothingDone(undefined);
    }
    const sum = nothingDone(undefined);
    if (object.isEmpty) {
      const middle = Math.ceil(prepared.length / 2);
      const behind = { next: prepared[middle]?.offset ?? next, leaderEpoch };
      addResult(sum, await this.#gather(prepared.slice(0, middle), behind));
      if (!sum.stop) addResult(sum, await this.#gather(prepared.slice(middle), { next, leaderEpoch }));
      return sum;
    }
    addResult(sum, await this.#flush());
    if (!sum.stop) addResult(sum, await this.#gather(prepared, { next, leaderEpoch }));
    return sum;
  }

  #newObject(): GatheredObject {
    const { template, compression, fields } = this.#options.config;
    const due = this.#due.at(-1);
    const start = due?.next ?? this.offset.offset ?? this.#from;
    const name = objectName(template, { ...this.#source, start }, compression);
    const form = { name, fields, compression, build: buildId() };
    return new GatheredObject(start, form, due?.leaderEpoch ?? this.offset.leaderEpoch);
  }

  /** Writes the gathered object. Without dead letters, its offset is committed with the next intent, or by `end`. */
  async #flush(): Promise<BatchResult> {
    const object = this.#object;
    this.#object = undefined;
    if (!object || object.isEmpty) return nothingDone(undefined);
    const { times } = this.#options;
    const { start, next, leaderEpoch, processed, dead } = object;
    const due = { next, leaderEpoch, processed, dead };
    try {
      if (!object.hasLines) {
        this.#due.push(due);
        return await this.#commitDue();
      }
      if (Date.now() > times.handleBefore) return nothingDone('out of time');
      const epoch = this.#due.at(-1)?.leaderEpoch ?? this.offset.leaderEpoch;
      const { text, content } = await object.finish();
      const startedAt = Date.now();
      const announced = await this.#move({ offset: start, leaderEpoch: epoch, intent: text });
      if (announced.stop) return announced;
      const announcedAt = Date.now();
      const stop = await this.#put(object.form, next, content);
      if (stop) return { ...announced, failed: announced.failed + processed + dead.length, stop };
      const { name } = object.form;
      const figures = {
        ...{ records: processed, bytes: content.bytes, transformMs: object.transformMs },
        ...{ sinkMs: Date.now() - announcedAt, commitMs: announcedAt - startedAt },
      };
      const about = { ...this.#source, object: name, from: start, to: next };
      this.#due.push({ ...due, written: { figures, about } });
      // Dead letters must not pile up until another object is written.
      if (dead.length > 0) addResult(announced, await this.#commitDue());
      return announced;
    } finally {
      this.#hold(0);
    }
  }

  async #put(
    { name, compression }: Pick<Intent, 'name' | 'compression'>,
    to: number,
    content: Content,
  ): Promise<Failure | undefined> {
    const { store, times } = this.#options;
    try {
      await store.put({ ...content, name, compression, to }, times.handleBefore);
      return undefined;
    } catch (error) {
      this.#isOver = true;
      if (error instanceof Failure) return error;
      throw error;
    }
  }

  #commitDue(): Promise<BatchResult> {
    const { next: offset = 0, leaderEpoch = -1 } = this.#due.at(-1) ?? {};
    return this.#move({ offset, leaderEpoch });
  }

  /** Moves the offset, and with it the dead letters of what is due. */
  async #move(to: Parameters<FencedOffset['move']>[1]): Promise<BatchResult> {
    const due = this.#due;
    let dead = due.flatMap((one) => one.dead);
    const processed = due.reduce((sum, one) => sum + one.processed, 0);
    const startedAt = Date.now();
    const failed = (stop: BatchResult['stop']) => {
      this.#isOver = true;
      return { ...nothingDone(stop), failed: stop === 'taken over' ? 0 : processed + dead.length };
    };
    for (let alone = false; ; alone = true) {
      const letters = dead.map(({ letter }) => letter);
      const outcome = await this.offset.move(letters, to, { alone });
      if (outcome === 'moved') {
        this.#due = [];
        this.#tell(due, Date.now() - startedAt);
        return { ...nothingDone(undefined, to.offset), processed, deadLettered: dead.length };
      }
      if (outcome === 'taken over') return failed(outcome);
      if (!(outcome instanceof RecordsRefused)) return failed(ofDeadLetters(outcome, dead));
      // Each letter in a batch of its own shows which one is refused.
      if (!alone) continue;
      const less = await this.#withLess(dead, outcome);
      if (less instanceof Failure) return failed(less);
      dead = less;
    }
  }

  /** The dead letters, with less beside the record that was refused. */
  async #withLess(
    dead: readonly DeadWithLetter[],
    { failure, records }: RecordsRefused,
  ): Promise<DeadWithLetter[] | Failure> {
    const { connection, times, deadLetter } = this.#options;
    const at = dead.findIndex(({ letter }) => records.includes(letter));
    const refused = dead[at];
    if (!refused) return failure;
    const less = afterRefusal(refused.dead, failure);
    if (!less) {
      const { deadline } = times;
      return refusedFailure(refused.letter, refused.dead, failure, { connection, deadline });
    }
    const letter = deadLetter(less);
    return letter instanceof Failure ? letter : dead.with(at, { dead: less, letter });
  }

  /** One line an object, and one a dead letter. */
  #tell(due: readonly Due[], ms: number): void {
    const { log } = this.#options;
    for (const { written, dead } of due) {
      if (written) {
        const { figures, about } = written;
        const whole = { ...figures, commitMs: figures.commitMs + ms };
        tellWritten(log, 'an object was written', whole, about);
      }
      for (const { dead: record, letter } of dead) logDeadLetter(log, record, letter.topic);
    }
  }

  /** Finishes the object that a predecessor announced at this offset. Throws a Failure. */
  async #finishAnnounced(start: number, text: string): Promise<BatchResult> {
    const { store, times, group, log } = this.#options;
    const { topic, partition } = this.#source;
    const intent = readIntent(start, text);
    if (!intent) {
      throw new Failure(
        'SINK_FAILED',
        `the object that was announced at offset ${start} of ${topic}-${partition} is described in a way that this build can't read: deploy the version that announced it, or a later one`,
      );
    }
    const startedAt = Date.now();
    const { name, to, leaderEpoch, records, dead: deadOnes } = intent;
    const isThere = (await store.sha256Of(name, times.handleBefore)) === intent.sha256;
    const due: Due = { next: to, leaderEpoch, dead: [], processed: [...records].length };
    if (!isThere || !deadOnes.isEmpty) {
      const options = { ...this.#options, groupId: group.groupId, deadline: times.handleBefore };
      const { content, dead } = await rebuild({ ...this.#source, start, intent, isThere }, options);
      const stop = isThere ? undefined : await this.#put(intent, to, content);
      if (stop) throw stop;
      due.dead = dead;
    }
    this.#due.push(due);
    const result = await this.#commitDue();
    const { build } = intent;
    const found = { build, wasThere: isThere, ms: Date.now() - startedAt };
    if (!result.stop) {
      log.info('an announced object was finished', {
        ...this.#source,
        object: name,
        from: start,
        to,
        ...found,
      });
    }
    return result;
  }

  #hold(bytes: number): void {
    this.#options.memory.heldBytes += bytes - this.#heldBytes;
    this.#heldBytes = bytes;
  }

  /** Whether an upload of what is gathered would not leave time for more. */
  get #isTimeUp(): boolean {
    const uploadMs = UPLOAD_RESERVE_MS + (this.#heldBytes / UPLOAD_BYTES_A_SECOND) * 1_000;
    return this.#heldBytes > 0 && Date.now() + uploadMs > this.#options.times.handleBefore;
  }
}

/** A dead-letter topic that is missing or forbidden is named as such. */
function ofDeadLetters(failure: Failure, [first]: readonly DeadWithLetter[]): Failure {
  const isTargets = ['UNKNOWN_TOPIC', 'TOPIC_NOT_AUTHORIZED'].includes(failure.code);
  return isTargets && first ? deadLetterFailure(first.letter, first.dead, failure) : failure;
}

function bytesOf(prepared: readonly Prepared[]): number {
  const lines = prepared.flatMap((one) => ('lines' in one ? one.lines : []));
  return lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
}
