import { codeOf, messageOf } from '../../../src/errors.ts';
import type { Fault } from '../faults.ts';

const OF_DNS = /^(ENOTFOUND|EAI_)/;
const OF_TLS = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS|ERR_SSL|EPROTO)/;

/** What broke on the way to a server, by the code of the socket, TLS or the name server. */
export function pathFault(error: unknown): Fault {
  const code = codeOf(error);
  if (OF_DNS.test(code)) return 'SINK_DNS';
  return OF_TLS.test(code) || /\bSSL\b/.test(messageOf(error)) ? 'SINK_TLS' : 'SINK_TCP';
}
