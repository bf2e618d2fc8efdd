/** DMS for Kafka's REST calls on one instance: what the console's page of an instance shows. */
import type { Body } from './fields.ts';
import { Refusal } from './refusal.ts';

export interface StoredInstance {
  details: Body;
  topics: Body[];
  users: Body[];
}

/** GET `/v2/{project}/instances/{id}` and what hangs below it. */
export function answerInstance(
  instances: ReadonlyMap<string, StoredInstance>,
  id: string,
  part: string | undefined,
  query: URLSearchParams,
): Body {
  const instance = instances.get(id);
  if (!instance) throw new Refusal(404, 'DMS.00404022', 'This instance does not exist.');
  if (part === undefined) return instance.details;
  const offset = Number(query.get('offset') ?? 0);
  const limit = Math.min(50, Number(query.get('limit') ?? 10));
  if (part === 'topics') {
    return { total: instance.topics.length, topics: instance.topics.slice(offset, offset + limit) };
  }
  if (part !== 'users') throw new Refusal(404, 'APIG.0101', 'The API does not exist');
  const protocols = Object.entries((instance.details.port_protocols ?? {}) as Body);
  const hasSasl = protocols.some(([name, on]) => name.includes('sasl') && on === true);
  if (!instance.details.ssl_enable && !hasSasl)
    throw new Refusal(400, 'DMS.00400051', 'SASL is not enabled.');
  return { users: instance.users };
}
