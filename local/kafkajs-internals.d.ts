// The part of kafkajs 2.2.4 (pinned) that kafkajs-timers.ts fixes.

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    /** Epoch milliseconds; -1 before the first throttling. */
    readonly throttledUntil: number;
    scheduleCheckPendingRequests(): void;
  }
}
