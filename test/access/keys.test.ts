/** The variable that holds the keys: what it may say, and how a wrong one is refused. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { mayPublish } from '../../src/access/caller.ts';
import { apiKeys } from '../../src/access/config.ts';
import { readConfig } from '../../src/variables.ts';
import { failsWith } from '../support/errors.ts';

const hashOf = (key: string) => createHash('sha256').update(key).digest('hex');
const [shop, other] = [hashOf('shop'), hashOf('other')];
const keysOf = (HTTP_API_KEYS: string) =>
  readConfig((name) => (name === 'HTTP_API_KEYS' ? HTTP_API_KEYS : undefined), apiKeys);
const callerWith = (key: string, entries: string) => keysOf(entries).callerOf({ 'x-api-key': key });

describe('an entry', () => {
  const everything = { name: undefined, scopes: undefined };
  for (const [what, entry, caller] of [
    ['a hash alone may do everything', shop, everything],
    ['in upper case, too', shop.toUpperCase(), everything],
    ['and so may a key with a name alone', `${shop}=shop`, { name: 'shop', scopes: undefined }],
    [
      'scopes bound what it may',
      `${shop}=shop:publish:orders+publish:shop.*+check`,
      { name: 'shop', scopes: ['publish:orders', 'publish:shop.*', 'check'] },
    ],
  ] as const) {
    test(what, () => assert.deepEqual(callerWith('shop', ` ${entry} , ${other}`), caller));
  }

  test('two hashes with one name are a key that is being replaced', () => {
    const entries = `${shop}=shop:pull,${other}=shop:pull`;
    assert.deepEqual(callerWith('shop', entries), callerWith('other', entries));
  });

  test('a pattern covers topics by their beginning, and those of Kafka itself only by name', () => {
    const caller = callerWith('shop', `${shop}=shop:publish:*+publish:a.b`);
    assert.ok(caller);
    assert.deepEqual(
      ['orders', 'a.b', '__consumer_offsets', 'publish:x'].map((topic) => mayPublish(caller, topic)),
      [true, true, false, true],
    );
    const narrow = callerWith('shop', `${shop}=shop:publish:a.b+publish:__x*`);
    assert.ok(narrow);
    assert.deepEqual(
      ['a.b', 'a.bc', 'axb', '__x', '__xy', '__y'].map((topic) => mayPublish(narrow, topic)),
      [true, false, false, true, true, false],
    );
  });
});

describe('refused, with its place and without its value', () => {
  for (const [what, entries, message] of [
    ['a key instead of its hash', 'open-sesame', /must hold SHA-256 hashes of keys in hex.*\(entry 1\)/],
    ['an empty name', `${shop},${other}=`, /\(entry 2\)/],
    ['an empty name with scopes', `${shop}=:pull`, /\(entry 1\)/],
    ['a name that could be nobody', `${shop}=-`, /\(entry 1\)/],
    ['a name that would end the scope', `${shop}=a/b`, /\(entry 1\)/],
    ['a name of 65 characters', `${shop}=${'a'.repeat(65)}`, /\(entry 1\)/],
    ['no scope behind the colon', `${shop}=shop:`, /\(entry 1\)/],
    ['an unknown scope', `${shop}=shop:admin`, /\(entry 1\)/],
    ['an empty scope', `${shop}=shop:pull+`, /\(entry 1\)/],
    ['scopes with a space', `${shop}=shop:pull + check`, /\(entry 1\)/],
    ['publish without a topic', `${shop}=shop:publish`, /\(entry 1\)/],
    ['publish with an empty topic', `${shop}=shop:publish:`, /\(entry 1\)/],
    ['a pattern with a star in the middle', `${shop}=shop:publish:a*b`, /\(entry 1\)/],
    ['a key twice', `${shop}=a:pull,${shop.toUpperCase()}=b`, /must hold a key once.*\(entry 2\)/],
    [
      'a new key that may do more than the old one',
      `${shop}=shop:pull,${other}=shop`,
      /the same scopes.*\(entry 2\)/,
    ],
    ['the hash of an empty key', hashOf(''), /must not hold the hash of an empty key.*\(entry 1\)/],
  ] as const) {
    test(what, () => {
      assert.throws(() => keysOf(entries), failsWith('CONFIG_INVALID', message));
      assert.throws(
        () => keysOf(entries),
        (error: Error) => !error.message.includes(shop),
      );
    });
  }
});
