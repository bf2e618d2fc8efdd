import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Failure } from '../../src/errors.ts';
import { failureResponse } from '../../src/http/message.ts';
import type { Log } from '../../src/log.ts';
import type { Connection } from './connection.ts';

/** Answers an error for which node has no request, in the usual shape, and ends the connection. */
export async function refuse(connection: Connection, failure: Failure, log: Log): Promise<void> {
  await connection.turn();
  const requestId = randomUUID();
  // A connection that was opened ahead and never used is not worth a line.
  const level = connection.socket.bytesRead === 0 ? 'debug' : 'warn';
  log[level]('request refused', { requestId, code: failure.code, error: failure });
  const { status, headers, body } = failureResponse(failure);
  const all = {
    ...headers,
    'x-request-id': requestId,
    'content-length': Buffer.byteLength(body),
    date: new Date().toUTCString(),
    connection: 'close',
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  connection.socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  connection.endInStages();
}
