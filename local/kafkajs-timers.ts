/**
 * Import this wherever kafkajs is used as a client. If no request waits and none is throttled, kafkajs 2.2.4 sets a
 * timer to a negative time after each answer, and Node.js 24 warns of it (TimeoutNegativeWarning).
 */
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

const { scheduleCheckPendingRequests } = RequestQueue.prototype;

RequestQueue.prototype.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) scheduleCheckPendingRequests.call(this);
};
