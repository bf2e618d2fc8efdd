import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { remaining } from '../../../../src/deadline.ts';

/** Longer responses are not read: they only name failed records. */
const MAX_ANSWER_BYTES = 1024 * 1024;

export interface Posted {
  status: number;
  /** Empty where the response is too long. */
  text: string;
}

/**
 * Posts a text and reads the response, whatever its status (fetch hides a 407). Rejects with the socket's error, or
 * an abort at the deadline. Such errors may name the host.
 */
export function post(
  url: string,
  { headers, body, deadline }: { headers: Record<string, string>; body: string; deadline: number },
): Promise<Posted> {
  const client = url.startsWith('https:') ? https : http;
  return new Promise((resolve, reject) => {
    const request = client.request(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      signal: AbortSignal.timeout(remaining(deadline)),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      readText(response).then(
        (text) => resolve({ status, text }),
        // A server that refuses may cut the connection while the body is still on its way.
        (error: unknown) => (status < 300 ? reject(error) : resolve({ status, text: '' })),
      );
    });
    request.end(body);
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
