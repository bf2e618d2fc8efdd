/** Where CONSUME_SINK sends records: a line a sink, by its name, and nothing else names one. */
export { handler } from './handler/handler.ts';
export { http } from './http/http.ts';
export { log } from './log/log.ts';
export { topic } from './topic/topic.ts';
