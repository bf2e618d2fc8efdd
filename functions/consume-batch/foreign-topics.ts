import { Failure } from '../../src/errors.ts';
import type { ConsumerRecord } from '../../src/record.ts';

/** The most topics that a message names; an event may bring thousands. */
const MAX_SHOWN = 3;

/**
 * Throws CONFIG_INVALID where pushed records come from topics outside CONSUME_TOPICS, before any is handled. Either
 * the trigger and the variable disagree, or a caller made the event up. The topic that a record names decides on
 * everything that happens to it, its dead-letter topic too (CWE-441). Without CONSUME_TOPICS, the trigger decides.
 */
export function refuseForeignTopics(records: readonly ConsumerRecord[], topics: readonly string[]): void {
  if (topics.length === 0) return;
  const foreign = [...new Set(records.map(({ topic }) => topic))].filter((topic) => !topics.includes(topic));
  if (foreign.length === 0) return;
  const shown = foreign.slice(0, MAX_SHOWN).join(', ');
  const more = foreign.length > MAX_SHOWN ? ` and ${foreign.length - MAX_SHOWN} more` : '';
  throw new Failure(
    'CONFIG_INVALID',
    `the event brings records of ${shown}${more}, which CONSUME_TOPICS does not name, so none of it was handled: add the topic there, or take it out of the trigger`,
  );
}
