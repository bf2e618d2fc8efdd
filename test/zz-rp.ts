import { kafkaForTests, newTopic } from '/work/main/test/kafka.ts';
import { publish } from '/work/main/test/consume-batch/consuming.ts';
import { spawn } from 'node:child_process';
const cluster = await kafkaForTests();
const topic = await newTopic(cluster, { partitions: 3 });
await publish(cluster, topic, [{value:'x'}]);
console.log('published');
const child = spawn(process.execPath, ['local/run.mjs', 'functions/consume-batch/replay.ts', '--topic', topic, '--dry-run'], { cwd: '/work/main', stdio: ['ignore','inherit','inherit'], env: {...process.env, LOG_LEVEL:'debug', KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.SASL_SSL,
      KAFKA_SSL_CA_LOCATION: cluster.caLocation,
      KAFKA_SASL_USERNAME: cluster.users.app.username,
      KAFKA_SASL_PASSWORD: cluster.users.app.password}});
child.once('close', (c)=>{console.log('closed', c); process.exit(0)});
setTimeout(()=>{ child.kill('SIGTERM'); process.exit(1)}, 20000);
