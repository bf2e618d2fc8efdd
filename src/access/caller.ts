import { Failure } from '../errors.ts';
import { matchesTopic } from '../topic.ts';

/** Who sent a request, by the key that it shows. */
export interface Caller {
  /** Undefined where keys have no names, or there are none. */
  name: string | undefined;
  /** Such as `publish:shop.*`, `pull`. Undefined: everything. */
  scopes: readonly string[] | undefined;
}

/**
 * What a caller needs where keys are configured: a key, or one with this scope; for `publish` the topic belongs to the
 * scope.
 */
export type Need = 'nothing' | 'a key' | 'publish' | 'pull' | 'check' | 'metrics';

const PUBLISH = 'publish:';

/**
 * Throws API_KEY_REFUSED, or NOT_PERMITTED naming the scope that the caller lacks. Where the topic is not known yet, it
 * has to be asked again.
 */
export function permit(caller: Caller | undefined, need: Need, topic?: string): void {
  if (need === 'nothing') return;
  if (!caller) {
    throw new Failure(
      'API_KEY_REFUSED',
      'an accepted key is needed: Authorization: Bearer … or X-Api-Key: …',
      { headers: { 'www-authenticate': 'Bearer' } },
    );
  }
  if (need === 'a key') return;
  if (need !== 'publish') {
    if (!holds(caller, (scope) => scope === need)) throw notPermitted(caller, need);
  } else if (topic !== undefined && !mayPublish(caller, topic)) throw notPermitted(caller, PUBLISH + topic);
}

/** Whether a key may publish to this topic. */
export function mayPublish(caller: Caller, topic: string): boolean {
  return holds(
    caller,
    (scope) => scope.startsWith(PUBLISH) && matchesTopic(scope.slice(PUBLISH.length), topic),
  );
}

function holds({ scopes }: Caller, isWanted: (scope: string) => boolean): boolean {
  return scopes?.some(isWanted) ?? true;
}

function notPermitted({ name }: Caller, scope: string): Failure {
  const whose = name === undefined ? 'this key' : `the key of ${name}`;
  return new Failure('NOT_PERMITTED', `${whose} lacks the scope ${scope}`);
}
