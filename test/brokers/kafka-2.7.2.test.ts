/** The short row on an old broker, with ZooKeeper: 2.7 is what DMS for Kafka offers beside 3.x. */
import { kafkaForTests } from '../support/cluster.ts';
import { everyLogin, withLogins } from './logins.ts';
import { everyPath, exactlyOnce } from './paths.ts';

const cluster = await kafkaForTests({ ...withLogins('2.7.2') });
everyPath(cluster, { short: true });
await everyLogin(cluster, '2.7.2');
await exactlyOnce(cluster, { records: 2_000, kills: 2, calls: 3 });
