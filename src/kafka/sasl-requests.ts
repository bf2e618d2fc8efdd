import saslAuthenticate from 'kafkajs/src/protocol/requests/saslAuthenticate/index.js';
import saslHandshake from 'kafkajs/src/protocol/requests/saslHandshake/index.js';

/**
 * What kafkajs's SASL authenticator needs of `kafkajs/src/protocol/requests`. The build puts it in that
 * module's place there, because the whole of it, all requests that kafkajs knows, is 90 kB of every bundle
 * and a quarter of its loading time.
 */
export const requests = { SaslHandshake: saslHandshake, SaslAuthenticate: saslAuthenticate };

type Versions = Record<number, { maxVersion: number } | undefined>;
type Definition = typeof saslHandshake | typeof saslAuthenticate;

/** The newest version of a request that both sides know. */
export function lookup(versions: Versions) {
  return (apiKey: number, definition: Definition) => {
    const highest = Math.max(...definition.versions.map(Number));
    return definition.protocol({ version: Math.min(highest, versions[apiKey]?.maxVersion ?? 0) });
  };
}
