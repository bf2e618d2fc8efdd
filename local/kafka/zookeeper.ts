import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type KafkaUser, scramCredentials } from './admin.ts';
import { type JavaNodeOptions, javaNode, type KafkaNode, port } from './node.ts';
import { array, int32 } from './wire.ts';

const ZOOKEEPER_ID = 100;
export const ZOOKEEPER = 'ZOOKEEPER';

const CREATE = 1;
const NODE_EXISTS = -110;
const SESSION_TIMEOUT_MS = 6_000;
const ANSWER_WITHIN_MS = 5_000;
/** Everybody may do everything: create, read, write, delete, administer. */
const OPEN = Buffer.concat([int32(31), text('world'), text('anyone')]);

/** The ZooKeeper of old brokers. Doesn't start it. */
export async function prepareZookeeper(options: JavaNodeOptions): Promise<KafkaNode> {
  const data = join(options.directory, 'zookeeper');
  const configuration = join(options.directory, 'zookeeper.properties');
  await mkdir(data);
  const properties = [
    `dataDir=${data.replaceAll('\\', '/')}`,
    'clientPortAddress=127.0.0.1',
    `clientPort=${port(options.ports, ZOOKEEPER)}`,
    'admin.enableServer=false',
    'tickTime=1000',
  ];
  await writeFile(configuration, properties.join('\n'));
  return javaNode(
    { ...options, javaOptions: ['-Dzookeeper.forceSync=no', '-Dzookeeper.jmx.log4j.disable=true'] },
    {
      nodeId: ZOOKEEPER_ID,
      label: 'zookeeper',
      program: ['org.apache.zookeeper.server.ZooKeeperServerMain', configuration],
    },
  );
}

/**
 * Writes the users' SCRAM credentials to where brokers read them when they start. Brokers before 2.7 have no request
 * for it, and kafka-configs would take 2 s for each user and the passwords as arguments. Rejects while ZooKeeper
 * doesn't answer.
 */
export async function keepCredentials(zookeeperPort: number, users: readonly KafkaUser[]): Promise<void> {
  const socket = connect({ port: zookeeperPort, host: '127.0.0.1' });
  socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy(new Error('ZooKeeper does not answer')));
  socket.once('end', () => socket.destroy(new Error('ZooKeeper closed the connection')));
  try {
    await ask(socket, [int32(0), Buffer.alloc(8), int32(SESSION_TIMEOUT_MS), Buffer.alloc(8), int32(0)]);
    for (const path of ['/config', '/config/users']) await create(socket, path, '');
    for (const user of users) {
      const config = Object.fromEntries(
        scramCredentials(user).map(({ name, iterations, salt, storedKey, serverKey }) => {
          const [s, stored, server] = [salt, storedKey, serverKey].map((bytes) => bytes.toString('base64'));
          return [name, `salt=${s},stored_key=${stored},server_key=${server},iterations=${iterations}`];
        }),
      );
      await create(socket, `/config/users/${user.username}`, JSON.stringify({ version: 1, config }));
    }
  } finally {
    socket.destroy();
  }
}

/** An existing node is not changed. */
async function create(socket: Socket, path: string, data: string): Promise<void> {
  const answer = await ask(socket, [
    int32(1),
    int32(CREATE),
    text(path),
    text(data),
    array([OPEN]),
    int32(0),
  ]);
  // Behind the request's number (4 bytes) and the transaction's (8).
  const error = answer.readInt32BE(12);
  if (error !== 0 && error !== NODE_EXISTS) throw new Error(`Creating ${path} failed with error ${error}`);
}

/** One request of ZooKeeper's protocol (zookeeper.jute), and its answer without the length. */
async function ask(socket: Socket, parts: readonly Buffer[]): Promise<Buffer> {
  const body = Buffer.concat(parts);
  socket.write(Buffer.concat([int32(body.length), body]));
  let received = Buffer.alloc(0);
  while (received.length < 4 || received.length < 4 + received.readInt32BE(0)) {
    const [chunk] = await once(socket, 'data');
    received = Buffer.concat([received, chunk]);
  }
  return received.subarray(4);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int32(bytes.length), bytes]);
}
