/** The sinks for CONSUME_SINK, one line each. Nothing else names a sink. */
export { handler } from './handler/handler.ts';
export { http } from './http/http.ts';
export { log } from './log/log.ts';
export { postgres } from './postgres/postgres.ts';
export { s3 } from './s3/s3.ts';
export { topic } from './topic/topic.ts';
