import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests of one connection that may be under way, their answers unread. */
const MAX_UNDER_WAY = 8;
/** Requests beyond them that a connection may have sent ahead; one that sends more is ended. */
const MAX_AHEAD = 128;

interface Connection {
  underWay: number;
  waiting: (() => void)[];
}

const connections = new WeakMap<Socket, Connection>();

/**
 * Waits until few enough requests of its connection are under way. A client may send many ahead, and read none of
 * the answers, each of which is kept until then.
 */
export async function turnOf({ socket }: IncomingMessage, response: ServerResponse): Promise<void> {
  const connection = connections.get(socket) ?? { underWay: 0, waiting: [] };
  connections.set(socket, connection);
  // At the earliest once the answer has left, at the latest with the connection.
  response.once('close', () => {
    connection.underWay--;
    connection.waiting.shift()?.();
  });
  if (connection.waiting.length === MAX_AHEAD) socket.destroy();
  if (connection.underWay >= MAX_UNDER_WAY) {
    await new Promise<void>((resolve) => connection.waiting.push(resolve));
  }
  connection.underWay++;
}
