import { kafkaForTests } from '../support/cluster.ts';
import { everyLogin, withLogins } from './logins.ts';
import { everyPath, exactlyOnce, hardTimes } from './paths.ts';

const cluster = await kafkaForTests({ ...withLogins('3.4.1') });
everyPath(cluster, { short: false });
await everyLogin(cluster, '3.4.1');
await exactlyOnce(cluster, { records: 20_000, kills: 6, calls: 4 });
await hardTimes(cluster, { records: 10_000, kills: 6, rounds: 3 });
