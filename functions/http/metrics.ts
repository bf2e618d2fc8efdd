import Counter from 'prom-client/lib/counter.js';
import collectDefaultMetrics from 'prom-client/lib/defaultMetrics.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';
import { allRoutes, patternOf } from '../../src/http/routes.ts';
import type { ProducerFigures } from '../../src/kafka/produce/producer.ts';
import type { Waiting } from '../consume-batch/backlog.ts';
import { type HandledBatch, handledBatches } from '../consume-batch/records/handled-batches.ts';
import { type WrittenBatch, writtenBatches } from '../consume-batch/records/written-batch.ts';
import type { Answered } from './server.ts';

/** A topic is found behind any prefix of a gateway. Paths without names must match as a whole. */
const labels = allRoutes.map(([path]) => ({
  path,
  pattern: patternOf(path, path.includes('{') ? 'end' : 'whole'),
}));
/** A batch may be 2,000 records for a slow sink. */
const BATCH_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** The cluster is asked at most this often, however many scrape. */
const ASK_EVERY_MS = 1_000;
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Asked at each scrape. */
export interface Sources {
  /** Undefined where there is no producer yet. */
  producer: () => ProducerFigures | undefined;
  /** By partition, for the next pull and for a replay. Neither rejects. */
  waitingRecords: () => Promise<Waiting[]>;
  waitingDeadLetters: () => Promise<Waiting[]>;
}

/** The metrics of `GET /metrics`: requests, outcomes of records, waiting records, and the process's own. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: 'http_requests_total',
    help: 'HTTP requests answered, by route, status and the name of the key.',
    labelNames: ['method', 'route', 'status', 'caller'] as const,
    registers: [this.#registry],
  });
  readonly #seconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'From the last byte of the request to the answer, by route.',
    labelNames: ['route'] as const,
    buckets: SECONDS,
    registers: [this.#registry],
  });

  constructor({ producer: figures, waitingRecords, waitingDeadLetters }: Sources) {
    collectDefaultMetrics({ register: this.#registry });
    new Counter({
      name: 'kafka_records_total',
      help: 'Records that callers published, by how it ended.',
      labelNames: ['outcome'] as const,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc({ outcome: 'acknowledged' }, figures()?.acknowledged ?? 0);
        this.inc({ outcome: 'failed' }, figures()?.failed ?? 0);
      },
    });
    new Gauge({
      name: 'kafka_producer_queue_bytes',
      help: 'Records that wait for their acknowledgement.',
      registers: [this.#registry],
      collect() {
        this.set(figures()?.queuedBytes ?? 0);
      },
    });
    this.#countConsumed();
    this.#gaugeWaiting(
      { name: 'consume_lag', help: 'Records that the next pull has before it, by partition.' },
      ['topic', 'partition'],
      waitingRecords,
    );
    this.#gaugeWaiting(
      { name: 'dead_letters_waiting', help: 'Dead letters that were not replayed, by dead-letter topic.' },
      ['topic'],
      waitingDeadLetters,
    );
  }

  #countConsumed(): void {
    const records = new Counter({
      name: 'consume_records_total',
      help: 'Records consumed, by what became of them; failed ones were left where they are.',
      labelNames: ['outcome'] as const,
      registers: [this.#registry],
    });
    const seconds = new Histogram({
      name: 'consume_batch_seconds',
      help: 'How long batches took, with retries, dead letters and the commit.',
      buckets: BATCH_SECONDS,
      registers: [this.#registry],
    });
    const written = new Counter({
      name: 'consume_sink_bytes_total',
      help: 'Bytes that a database or a store took.',
      registers: [this.#registry],
    });
    const steps = new Histogram({
      name: 'consume_sink_seconds',
      help: 'How long batches for a database or a store took, by step: transform, sink, commit.',
      labelNames: ['step'] as const,
      buckets: BATCH_SECONDS,
      registers: [this.#registry],
    });
    writtenBatches.subscribe((message) => {
      const { bytes, transformMs, sinkMs, commitMs } = message as WrittenBatch;
      written.inc(bytes);
      steps.observe({ step: 'transform' }, transformMs / 1_000);
      steps.observe({ step: 'sink' }, sinkMs / 1_000);
      steps.observe({ step: 'commit' }, commitMs / 1_000);
    });
    const count = ({ processed, deadLettered, failed }: Omit<HandledBatch, 'ms'>) => {
      records.inc({ outcome: 'handled' }, processed);
      records.inc({ outcome: 'dead-lettered' }, deadLettered);
      records.inc({ outcome: 'failed' }, failed);
    };
    // Rates must begin at 0.
    count({ processed: 0, deadLettered: 0, failed: 0 });
    handledBatches.subscribe((message) => {
      const batch = message as HandledBatch;
      count(batch);
      seconds.observe(batch.ms / 1_000);
    });
  }

  /** Sums what has the same labels. An unknown figure has no sample, because an old one would mislead. */
  #gaugeWaiting(
    about: { name: string; help: string },
    labelNames: readonly ('topic' | 'partition')[],
    ask: () => Promise<Waiting[]>,
  ): void {
    const asked = atMostEvery(ASK_EVERY_MS, ask);
    new Gauge({
      ...about,
      labelNames,
      registers: [this.#registry],
      async collect() {
        const waiting = await asked();
        this.reset();
        for (const { records, ...place } of waiting) {
          this.inc(Object.fromEntries(labelNames.map((name) => [name, place[name]])), records);
        }
      },
    });
  }

  observe({ method, path, caller, status, ms }: Answered): void {
    const route = routeOf(path);
    this.#requests.inc({ method, route, status, ...(caller !== undefined && { caller }) });
    this.#seconds.observe({ route }, ms / 1_000);
  }

  /** The metrics in Prometheus's text format, with its content type. */
  async text(): Promise<{ type: string; body: string }> {
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }
}

/** Returns the same answer to everybody within this many milliseconds. */
function atMostEvery<T>(ms: number, ask: () => Promise<T>): () => Promise<T> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let answer: Promise<T>;
  return () => {
    const now = performance.now();
    if (now - askedAt >= ms) {
      askedAt = now;
      answer = ask();
    }
    return answer;
  };
}

/** The path without its names, as a label that callers can't multiply. */
function routeOf(path: string): string {
  return labels.find(({ pattern }) => pattern.test(path))?.path ?? 'other';
}
