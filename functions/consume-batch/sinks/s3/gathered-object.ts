import type { Content } from '../../../../src/object-storage/store.ts';
import type { ConsumerRecord, ProducerRecord } from '../../../../src/record.ts';
import type { DeadLetter } from '../../records/dead-letter.ts';
import { fits, type Intent, intentText } from './intent.ts';
import { ObjectBody } from './object-body.ts';
import { OffsetRuns } from './offset-runs.ts';

/** One source record and what becomes of it: lines, none where it is dropped, or a dead letter. */
export type Prepared = { offset: number } & ({ lines: readonly string[] } | { dead: DeadWithLetter });

export interface DeadWithLetter {
  dead: DeadLetter;
  letter: ProducerRecord;
}

/** What decides how an object is written, whoever writes it. */
export type ObjectForm = Pick<Intent, 'name' | 'fields' | 'compression' | 'build'>;

export interface Announced {
  /** The intent as text. */
  text: string;
  content: Content;
}

/** An object that grows while a partition is pulled: from `start` to before `next`. */
export class GatheredObject {
  readonly start: number;
  readonly form: ObjectForm;
  /** The offset behind it. */
  next: number;
  leaderEpoch: number;
  /** Source records that are in it, and those that were dropped. */
  processed = 0;
  transformMs = 0;
  readonly dead: DeadWithLetter[] = [];
  readonly #body: ObjectBody;
  #records: OffsetRuns;
  #dead: OffsetRuns;
  #deadBytes = 0;

  constructor(start: number, form: ObjectForm, leaderEpoch: number) {
    this.start = start;
    this.form = form;
    this.next = start;
    this.leaderEpoch = leaderEpoch;
    this.#body = new ObjectBody(form.compression);
    this.#records = new OffsetRuns(start);
    this.#dead = new OffsetRuns(start);
  }

  get hasLines(): boolean {
    return this.#body.lineBytes > 0;
  }

  get isEmpty(): boolean {
    return this.next === this.start;
  }

  get lineBytes(): number {
    return this.#body.lineBytes;
  }

  get heldBytes(): number {
    return this.#body.heldBytes + this.#deadBytes;
  }

  /** Whether the intent of this object, with these records, would fit into an offset's metadata. */
  takes(records: readonly Prepared[], next: number): boolean {
    const runs = this.#runsWith(records);
    const sha256 = '0'.repeat(64);
    return fits(intentText({ ...this.form, ...runs, to: next, leaderEpoch: this.leaderEpoch, sha256 }));
  }

  async add(records: readonly Prepared[], next: number, leaderEpoch: number): Promise<void> {
    const { records: included, dead } = this.#runsWith(records);
    this.#records = included;
    this.#dead = dead;
    for (const record of records) {
      if ('dead' in record) {
        this.dead.push(record.dead);
        this.#deadBytes += bytesOf(record.dead.letter);
        continue;
      }
      this.processed++;
      for (const line of record.lines) await this.#body.add(line);
    }
    this.next = next;
    this.leaderEpoch = leaderEpoch;
  }

  /** Closes the object and says what is to be announced before it is written. */
  async finish(): Promise<Announced> {
    const content = await this.#body.finish();
    const { form, next: to, leaderEpoch } = this;
    const runs = { records: this.#records, dead: this.#dead };
    return { content, text: intentText({ ...form, ...runs, to, leaderEpoch, sha256: content.sha256 }) };
  }

  #runsWith(prepared: readonly Prepared[]): { records: OffsetRuns; dead: OffsetRuns } {
    const records = this.#records.copy();
    const dead = this.#dead.copy();
    for (const record of prepared) {
      if ('dead' in record) dead.add(record.offset);
      else if (record.lines.length > 0) records.add(record.offset);
    }
    return { records, dead };
  }
}

function bytesOf({ key, value, headers }: ProducerRecord): number {
  const ofHeaders = headers.reduce((sum, header) => sum + header.key.length + (header.value?.length ?? 0), 0);
  return (key?.length ?? 0) + (value?.length ?? 0) + ofHeaders;
}

/** A record of its own memory: a pulled one is a slice of a response, which it would keep alive. */
export function detached(record: ConsumerRecord): ConsumerRecord {
  const copy = (bytes: Buffer | null) => (bytes === null ? null : Buffer.from(bytes));
  const { key, value, headers } = record;
  return {
    ...record,
    key: copy(key),
    value: copy(value),
    headers: headers.map((header) => ({ key: header.key, value: copy(header.value) })),
  };
}
