declare module 'parse-prometheus-text-format' {
  export interface MetricFamily {
    name: string;
    help: string;
    type: string;
    metrics: { value: string; labels?: Record<string, string> }[];
  }

  /** Throws where the text is not of Prometheus' format. */
  export default function parsePrometheusTextFormat(text: string): MetricFamily[];
}
