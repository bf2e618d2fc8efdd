declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    /** Epoch milliseconds; -1 while nothing was throttled. */
    throttledUntil: number;
    scheduleCheckPendingRequests(): void;
  }
}
