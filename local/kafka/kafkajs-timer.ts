/** kafkajs 2.2.4 sets a timer for the end of a throttle that never was, of which Node.js 24 warns. */
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  this.throttledUntil = Math.max(this.throttledUntil, Date.now() + 1);
  schedule.call(this);
};
