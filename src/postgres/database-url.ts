import type { Variables } from '../variables.ts';

const DEFAULT_PORT = 5432;

/** How the server's certificate is proven, in PostgreSQL's words; its weaker modes would encrypt without proof. */
const sslModes = ['verify-full', 'verify-ca', 'disable'] as const;
export type SslMode = (typeof sslModes)[number];

export interface DatabaseAddress {
  host: string;
  port: number;
  database: string;
  sslMode: SslMode;
}

/** Read by us: the driver's own reading gives `sslmode` in a URL another meaning, and lets it replace the certificates. */
export function readDatabaseUrl(variables: Variables): DatabaseAddress {
  const name = 'CONSUME_SINK_URL';
  const none: DatabaseAddress = { host: '', port: DEFAULT_PORT, database: '', sslMode: 'verify-full' };
  const text = variables.text(name);
  if (text === undefined) {
    variables.reject(name, 'is required with CONSUME_SINK=postgres');
    return none;
  }
  const url = parsed(text);
  if (!url) {
    variables.reject(name, 'must be postgres://host:5432/database');
    return none;
  }
  if (url.username !== '' || url.password !== '') {
    variables.reject(
      name,
      'must hold no credentials: they are CONSUME_SINK_CONNECTION_USER and CONSUME_SINK_CONNECTION_PASSWORD',
    );
  }
  const unknown = [...url.searchParams.keys()].find((key) => key !== 'sslmode');
  if (unknown !== undefined) variables.reject(name, 'may have the parameter sslmode alone');
  const wanted = url.searchParams.get('sslmode') ?? 'verify-full';
  const sslMode = sslModes.find((mode) => mode === wanted);
  if (!sslMode) {
    variables.reject(name, `has an sslmode that proves nothing: it must be one of ${sslModes.join(', ')}`);
  }
  return {
    // An IPv6 address has brackets in a URL, and none for a socket.
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    database: decodeURIComponent(url.pathname.slice(1)),
    sslMode: sslMode ?? 'verify-full',
  };
}

function parsed(text: string): URL | undefined {
  try {
    const url = new URL(text);
    const isPostgres = ['postgres:', 'postgresql:'].includes(url.protocol);
    decodeURIComponent(url.pathname);
    return isPostgres && url.hostname !== '' && /^\/[^/]+$/.test(url.pathname) ? url : undefined;
  } catch {
    return undefined;
  }
}
