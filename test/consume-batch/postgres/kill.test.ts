import { describe, test } from 'node:test';
import { postgresTool } from '../../../local/postgres.ts';
import { killPostgres } from '../../support/postgres-kills.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';

const why = await postgresTool.missing();
const cluster = await sharedCluster();

describe('the postgres sink under fire', { skip: why ?? false }, () => {
  test('pulls killed, frozen and side by side, the database killed: each record once', (t) =>
    killPostgres(t, cluster, { records: 12_000, kills: 10 }));
});
