import Counter from 'prom-client/lib/counter.js';
import collectDefaultMetrics from 'prom-client/lib/defaultMetrics.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';
import type { ProducerFigures } from '../../src/kafka/produce/producer.ts';

const ROUTES: readonly [RegExp, string][] = [
  [/\/topics\/[^/]+\/partitions\/[^/]+\/?$/, '/topics/{topic}/partitions/{partition}'],
  [/\/topics\/[^/]+\/partitions\/?$/, '/topics/{topic}/partitions'],
  [/\/topics\/[^/]+\/?$/, '/topics/{topic}'],
  [/\/webhooks\/[^/]+\/?$/, '/webhooks/{topic}'],
  [
    /^\/(topics|brokers|healthy|ready|metrics|openapi\.json|connectivity-check|consume-batch|invoke|init)?$/,
    '$&',
  ],
];
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What `GET /metrics` tells: requests by route and status, how long they took, and the process's own figures. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: 'http_requests_total',
    help: 'HTTP requests answered, by route and status.',
    labelNames: ['method', 'route', 'status'] as const,
    registers: [this.#registry],
  });
  readonly #seconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'From the last byte of the request to the answer, by route.',
    labelNames: ['route'] as const,
    buckets: SECONDS,
    registers: [this.#registry],
  });

  /** `figures` are asked for at each scrape; undefined where there is no producer yet. */
  constructor(figures: () => ProducerFigures | undefined) {
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
  }

  observe({ method, path, status, ms }: { method: string; path: string; status: number; ms: number }): void {
    const route = routeOf(path);
    this.#requests.inc({ method, route, status });
    this.#seconds.observe({ route }, ms / 1_000);
  }

  /** In the Prometheus text format, with the content type that goes with it. */
  async text(): Promise<{ type: string; body: string }> {
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }
}

/** A path with its names left out: a label that callers can't multiply. */
function routeOf(path: string): string {
  const route = ROUTES.find(([pattern]) => pattern.test(path))?.[1];
  if (route === '$&') return path;
  return route ?? 'other';
}
