import { test } from 'node:test';
import { postgresTool } from '../../local/postgres.ts';
import { kafkaForTests } from '../support/cluster.ts';
import { orderUnderFire } from '../support/once-only.ts';

const why = await postgresTool.missing();
const cluster = await kafkaForTests({ brokers: 3 });

test('20,000 orders over HTTP, more than 100 kills: each once in PostgreSQL', { skip: why ?? false }, (t) =>
  orderUnderFire(t, cluster, { orders: 20_000, kills: 120 }),
);
