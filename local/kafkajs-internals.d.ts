// The part of kafkajs 2.2.4 (pinned) that is mended (kafkajs-timers.ts).

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    /** Epoch milliseconds; -1: not yet. */
    readonly throttledUntil: number;
    scheduleCheckPendingRequests(): void;
  }
}
