/**
 * To be imported where kafkajs itself is a client: where nothing waits and nothing is throttled, each answer made
 * kafkajs 2.2.4 set a timer to minus the present time, again and again, of which Node.js 24 warns (TimeoutNegativeWarning).
 */
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

const { scheduleCheckPendingRequests } = RequestQueue.prototype;

RequestQueue.prototype.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) scheduleCheckPendingRequests.call(this);
};
