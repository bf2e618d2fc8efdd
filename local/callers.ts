/**
 * Who may call the gateway of `npm start`. The gateway asks for no key, and may stand before the user's own cluster.
 * Any page that is open in a browser on this machine reaches it: by a request across sites, or under a host name of
 * its own that resolves to 127.0.0.1 (DNS rebinding). Browsers say where a request comes from; other clients need not.
 */
import type { IncomingHttpHeaders } from 'node:http';

const OF_THIS_MACHINE = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/**
 * Why a request is refused, or undefined. `origins` are allowed as well as the pages of this machine; `*` allows all.
 * https://www.w3.org/TR/fetch-metadata/, https://fetch.spec.whatwg.org/#origin-header
 */
export function callerProblem(
  headers: IncomingHttpHeaders,
  port: number,
  origins: readonly string[],
): string | undefined {
  const hosts = ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`);
  const host = headers.host?.toLowerCase() ?? '';
  if (!hosts.includes(port === 80 && !/:\d+$/.test(host) ? `${host}:80` : host)) {
    return `the Host header must be one of ${hosts.join(', ')}: under any other name a web page may be calling`;
  }
  const { origin } = headers;
  const isForeign =
    origin === undefined
      ? ['cross-site', 'same-site'].includes(String(headers['sec-fetch-site']))
      : !OF_THIS_MACHINE.test(origin) && !origins.includes(origin) && !origins.includes('*');
  if (!isForeign) return undefined;
  return 'a web page from elsewhere asks (Origin, Sec-Fetch-Site): HTTP_CORS_ORIGINS can allow its origin';
}
