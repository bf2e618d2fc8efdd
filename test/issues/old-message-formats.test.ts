/**
 * Found 2026-11-27 (B9): a topic in a message format before 0.11 was published to as INTERNAL 43, although preferred
 * idempotence should fall back; a header was INTERNAL -1; the topic sink tried again until its time was over.
 */
import { kafkaForTests } from '../support/cluster.ts';
import { LARGE, oldFormats } from './old-formats.ts';

oldFormats(await kafkaForTests({ release: '2.7.2', properties: LARGE }));
