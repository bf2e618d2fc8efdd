import { createHash } from 'node:crypto';

interface Request {
  /** Its Idempotency-Key. */
  key?: string;
  /** The name of the caller's key. */
  caller?: string;
  /** Of the record among the request's. */
  index?: number;
  /** Default: the value. */
  body?: string;
}

/** A record with the headers that produce gives it for a request with an Idempotency-Key. */
export function ofRequest<Message extends { value: string | null }>(
  message: Message,
  { key = 'once', caller = '-', index = 0, body = message.value ?? '' }: Request = {},
) {
  const digest = createHash('sha256').update(body).digest('hex').slice(0, 32);
  const headers = { 'idempotency-key': key, 'idempotency-scope': `${caller}/${index}/${digest}` };
  return { ...message, headers };
}
