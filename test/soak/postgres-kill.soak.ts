import { test } from 'node:test';
import { postgresTool } from '../../local/postgres.ts';
import { kafkaForTests } from '../support/cluster.ts';
import { killPostgres } from '../support/postgres-kills.ts';

const why = await postgresTool.missing();
const cluster = await kafkaForTests();

test('the postgres sink, 100 kills: each record once', { skip: why ?? false }, (t) =>
  killPostgres(t, cluster, { records: 120_000, kills: 100 }),
);
