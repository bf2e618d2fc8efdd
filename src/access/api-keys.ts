import { hash } from 'node:crypto';
import type { Caller } from './caller.ts';

const ANYBODY: Caller = { name: undefined, scopes: undefined };

/** The keys that are accepted. Where there are none, everybody may do everything. */
export class ApiKeys {
  /** By the SHA-256 of the key, in hex. */
  readonly #byHash: ReadonlyMap<string, Caller>;

  constructor(byHash: ReadonlyMap<string, Caller>) {
    this.#byHash = byHash;
  }

  /**
   * Undefined for who shows no accepted key. A gateway may have headers of its own: other schemes of Authorization are
   * ignored, and either header may hold the key.
   */
  callerOf(headers: Readonly<Record<string, string>>): Caller | undefined {
    if (this.#byHash.size === 0) return ANYBODY;
    const { authorization, 'x-api-key': key } = headers;
    const bearer = authorization && /^bearer +(\S+)$/i.exec(authorization)?.[1];
    return this.#ownerOf(key) ?? this.#ownerOf(bearer);
  }

  /** How long it takes tells something about the hash at most, and no key follows from its hash. */
  #ownerOf(key: string | undefined): Caller | undefined {
    return key ? this.#byHash.get(hash('sha256', key)) : undefined;
  }
}
