import { ownFunctions } from '../build/function-readers.ts';
import type { Route } from './functiongraph/gateway.ts';
import type { TriggeredFunction } from './triggers.ts';

/** A function of the user's is at `/functions/<name>`; produce gets all paths that no other function takes. */
export function routesTo(functions: readonly TriggeredFunction[]): Route[] {
  const route = (name: string, match: { method?: string; path?: string }) =>
    functions
      .filter(({ description: { key } }) => key === name)
      .map(({ runtime }) => ({ ...match, runtime }));
  const own = functions.filter(({ description: { key } }) => !ownFunctions.includes(key));
  return [
    ...own.flatMap(({ description: { key }, runtime }) => [
      { path: `/functions/${key}`, runtime },
      { prefix: `/functions/${key}/`, runtime },
    ]),
    ...route('connectivity-check', { path: '/connectivity-check' }),
    ...route('consume-batch', { method: 'POST', path: '/consume-batch' }),
    ...route('produce', {}),
  ];
}
