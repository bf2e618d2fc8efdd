import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { ApiKeys } from '../../src/access/api-keys.ts';
import { Failure } from '../../src/errors.ts';
import { callersRequestId, type RequestHead } from '../../src/http/message.ts';

/** host [":" port] of RFC 3986, section 3.2.2; empty for a target without an authority. */
const HOST = /^(?:\[[\da-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})*)(?::\d*)?$/i;
/** Proxies get a target in absolute form, and a server has to accept it as well (RFC 9112, section 3.2.2). */
const ORIGIN = /^https?:\/\/[^/?#]*/i;

export function readHead(
  { method = 'GET', url = '/', headers }: IncomingMessage,
  keys: ApiKeys,
): RequestHead {
  const target = url.replace(ORIGIN, '');
  const question = target.indexOf('?');
  const all = lines(headers);
  return {
    method,
    path: (question < 0 ? target : target.slice(0, question)) || '/',
    query: question < 0 ? {} : Object.fromEntries(new URLSearchParams(target.slice(question + 1))),
    headers: all,
    requestId: callersRequestId(all),
    caller: keys.callerOf(all),
  };
}

/** Finds faults that node's parser has let pass. After such a message, nothing on the connection can be trusted. */
export function faultOf(message: IncomingMessage): Failure | undefined {
  const { httpVersion, httpVersionMajor, httpVersionMinor, headers, rawHeaders } = message;
  const isOld = httpVersionMajor === 1 && httpVersionMinor === 0;
  const coding = headers['transfer-encoding'];
  if (httpVersionMajor !== 1) return malformed(`HTTP/${httpVersion} is not spoken here, only HTTP/1.1`);
  // `headers` has only the first one of several.
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === 'host') hosts++;
  if (hosts > 1 || (hosts === 0 && !isOld)) {
    return malformed(`the request must have one Host header, and has ${hosts}`);
  }
  if (!HOST.test(headers.host ?? ''))
    return malformed('the Host header must be a host name, and a port where needed');
  if (coding === undefined) return undefined;
  if (isOld) return malformed('HTTP/1.0 has no Transfer-Encoding');
  if (/^\s*chunked\s*$/i.test(coding)) return undefined;
  return new Failure('NOT_IMPLEMENTED', 'of the transfer codings only chunked is known');
}

/** Whether the client waits to be asked for the body (RFC 9110, section 10.1.1). Throws at other expectations. */
export function isInvited({ httpVersionMinor, headers: { expect } }: IncomingMessage): boolean {
  if (expect === undefined || httpVersionMinor === 0) return false;
  if (expect.toLowerCase() === '100-continue') return true;
  throw new Failure('EXPECTATION_FAILED', 'of the expectations only 100-continue is met');
}

/** The error of `clientError`. */
export interface ParserError extends NodeJS.ErrnoException {
  bytesParsed?: number;
  rawPacket?: Buffer;
}

/** The failure for an error of node's parser or its clock; undefined for a broken socket. */
export function parserFailure(error: ParserError): Failure | undefined {
  const { code = '' } = error;
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Failure('REQUEST_TIMEOUT', 'the head of the request took too long');
    case 'HPE_HEADER_OVERFLOW':
      return new Failure('HEADERS_TOO_LARGE', 'the request line and headers exceed 16 KiB');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Failure('BODY_TOO_LARGE', 'the chunk extensions exceed 16 KiB');
    case 'HPE_INVALID_METHOD':
      return isRequestLine(error)
        ? new Failure('NOT_IMPLEMENTED', 'the method is none that is known here')
        : malformed('this is no HTTP/1.1 request');
    case 'HPE_INVALID_EOF_STATE':
      return brokenOff();
    default:
      return code.startsWith('HPE_') ? malformed(`this is no HTTP/1.1 request (${code})`) : undefined;
  }
}

/** Tells an unknown method from bytes that are not a request, as far as one packet shows. */
function isRequestLine({ rawPacket = Buffer.alloc(0), bytesParsed = 0 }: ParserError): boolean {
  const start = rawPacket.subarray(0, bytesParsed).lastIndexOf('\n') + 1;
  return /^[!#$%&'*+.^`|~\w-]+ \S+ HTTP\/1\.[01]\r\n/.test(rawPacket.toString('latin1', start));
}

export function brokenOff(): Failure {
  return malformed('the request was broken off');
}

function malformed(sentence: string): Failure {
  return new Failure('MALFORMED_REQUEST', sentence);
}

/** Node has lower-case names, and one line for each value except set-cookie's, which no request should have. */
function lines(headers: IncomingHttpHeaders): Record<string, string> {
  const cookies = headers['set-cookie'];
  const single = headers as Record<string, string>;
  return cookies === undefined ? single : { ...single, 'set-cookie': cookies.join(', ') };
}
