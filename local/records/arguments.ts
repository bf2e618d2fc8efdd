import { parseArgs } from 'node:util';
import { isTopicName, TOPIC_NAME_RULE } from '../../src/topic.ts';
import { type RecordFormat, recordFormats } from './format.ts';

export const USAGE = `Usage: npm run -s records -- <topic> [options]

  --from       earliest (default), latest, an offset, or a time such as 2026-11-28T07:00:00Z
  --partition  one partition; default: all, sorted by the times of their records
  --count      ends after so many records
  --follow     waits for further records, until Ctrl-C
  --format     json (default): an object on each line, with JSON keys and values as they are; text, base64, hex:
               partition, offset, time, key, value and headers, separated by tabs

It reads committed records with the KAFKA_… variables of this shell, joins no group and commits nothing. Without
--follow it ends where the topic ended at the start. Exit codes: 0 fine, 1 failed, 2 called wrongly.`;

/** Where to begin: an end of the log, an offset, or epoch milliseconds. */
export type From = 'earliest' | 'latest' | { offset: number } | { time: number };

export interface RecordsArguments {
  topic: string;
  from: From;
  partition: number | undefined;
  count: number;
  follow: boolean;
  format: RecordFormat;
}

/** Undefined if help is wanted. Throws for a command line that it doesn't understand. */
export function recordsArguments(args = process.argv.slice(2)): RecordsArguments | undefined {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      from: { type: 'string', default: 'earliest' },
      partition: { type: 'string' },
      count: { type: 'string' },
      follow: { type: 'boolean', default: false },
      format: { type: 'string', default: 'json' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const [topic, ...rest] = positionals;
  if (topic === undefined) throw new Error('a topic is required');
  if (rest.length > 0) throw new Error(`one topic at a time: what is ${rest.join(' ')}?`);
  if (!isTopicName(topic)) throw new Error(`the topic must have ${TOPIC_NAME_RULE}`);
  const format = recordFormats.find((known) => known === values.format);
  if (!format) throw new Error(`--format must be one of ${recordFormats.join(', ')}`);
  return {
    topic,
    from: readFrom(values.from),
    partition: wholeNumber('partition', values.partition, 0),
    count: wholeNumber('count', values.count, 1) ?? Number.POSITIVE_INFINITY,
    follow: values.follow,
    format,
  };
}

function readFrom(text: string): From {
  if (text === 'earliest' || text === 'latest') return text;
  const offset = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(offset)) return { offset };
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (time >= 0) return { time };
  throw new Error('--from must be earliest, latest, an offset, or a time such as 2026-11-28T07:00:00Z');
}

function wholeNumber(name: string, text: string | undefined, min: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
  throw new Error(`--${name} must be a whole number from ${min} on`);
}
