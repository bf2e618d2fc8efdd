import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { after } from 'node:test';

/** What becomes of bytes that hold a text. */
type Fate = 'pass' | 'lose';

export interface Watch {
  /** Who sends it. */
  from: 'client' | 'server';
  text: string;
  /** Called before the bytes go on; they do where it returns `pass`. Lost ones end their connection. */
  act: () => Fate;
}

export interface TcpProxy {
  port: number;
  /** Once, when these bytes come by. */
  once(watch: Watch): void;
  /** Undoes `once`. */
  forget(): void;
  /** A request that holds `text` arrives, and its connection ends without the answer; `times` times. */
  loseAnswerTo(text: string, times?: number): void;
  /** How many answers were lost. */
  lost(): number;
}

/** A way to a local port on which something happens. */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
  let losing = { text: '', left: 0 };
  let watched: Watch | undefined;
  let lost = 0;
  const sockets = new Set<Socket>();
  const fateOf = (from: Watch['from'], bytes: Buffer): Fate => {
    if (watched?.from !== from || !bytes.includes(watched.text)) return 'pass';
    const { act } = watched;
    watched = undefined;
    return act();
  };
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    let isLost = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      if (losing.left > 0 && bytes.includes(losing.text)) {
        losing.left--;
        lost++;
        isLost = true;
      }
      if (fateOf('client', bytes) === 'pass') upstream.write(bytes);
      else client.destroy();
    });
    upstream.on('data', (bytes: Buffer) => {
      // That there is an answer means that the request was carried out.
      if (isLost || fateOf('server', bytes) === 'lose') client.destroy();
      else client.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    once(watch) {
      watched = watch;
    },
    forget() {
      watched = undefined;
    },
    loseAnswerTo(text, times = 1) {
      losing = { text, left: times };
    },
    lost: () => lost,
  };
}
