import { describe, test } from 'node:test';
import { postgresTool } from '../../../local/postgres.ts';
import { orderUnderFire } from '../../support/once-only.ts';
import { sharedCluster } from '../../support/shared-cluster.ts';

const why = await postgresTool.missing();
const cluster = await sharedCluster();

describe('orders over HTTP into PostgreSQL', { skip: why ?? false }, () => {
  test('requests repeated, servers, pulls and the database killed: each order once', (t) =>
    orderUnderFire(t, cluster, { orders: 2_000, kills: 10 }));
});
