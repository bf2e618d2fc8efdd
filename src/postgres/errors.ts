import { codeOf, Failure, messageOf } from '../errors.ts';

/** Whose fault it is: the data's, the configuration's, or that of the world, where a later attempt may succeed. */
export type Fault = 'data' | 'configuration' | 'world';

/**
 * PostgreSQL's classes: cardinality (two rows of a batch that a trigger made one), data exception, integrity
 * constraint, WITH CHECK OPTION, program limit; and what PL/pgSQL raises.
 */
const OF_DATA = /^(21|22|23|44|54|P0)[0-9A-Z]{3}$/;
/** Not supported, login, no such database, no such schema, syntax error or access rule. */
const OF_CONFIGURATION = /^(0A|28|3D|3F|42)[0-9A-Z]{3}$/;
const CHECK_VIOLATION = '23514';
const UNDEFINED_TABLE = '42P01';
/** Node.js's and OpenSSL's codes for a certificate that proves nothing. */
const UNTRUSTED = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT)/;
const REFUSES_TLS = 'The server does not support SSL connections';
/** What the driver says of a login that it can't go through. */
const LOGIN = /^SASL:/;
/** GaussDB's own SHA-256 login has the number of PostgreSQL's SASL, and names no mechanism. */
const UNKNOWN_LOGIN = /^SASL: Only mechanism/;

/** What the driver throws, or one of its socket. */
export function faultOf(error: unknown): Fault {
  const code = codeOf(error);
  // No partition takes the row: that is no constraint's name, and nobody made it.
  const isUnmade = code === CHECK_VIOLATION && !(error as { constraint?: string }).constraint;
  if (OF_DATA.test(code)) return isUnmade ? 'configuration' : 'data';
  const message = messageOf(error);
  const isRefused = OF_CONFIGURATION.test(code) || UNTRUSTED.test(code);
  return isRefused || message === REFUSES_TLS || LOGIN.test(message) ? 'configuration' : 'world';
}

export function isMissingTable(error: unknown): boolean {
  return codeOf(error) === UNDEFINED_TABLE;
}

/** Why the call stops, with what to do. */
export function databaseFailure(error: unknown, remedy = remedyOf(error)): Failure {
  if (error instanceof Failure) return error;
  const code = codeOf(error);
  const said = messageOf(error) || code || 'the connection failed';
  const named = code !== '' && !said.includes(code) ? `${said} (${code})` : said;
  return new Failure('SINK_FAILED', `the database: ${named}${remedy && `: ${remedy}`}`, { cause: error });
}

function remedyOf(error: unknown): string {
  const code = codeOf(error);
  const message = messageOf(error);
  if (message === REFUSES_TLS) {
    return 'turn TLS on there; ?sslmode=disable in CONSUME_SINK_URL would send the rows in plain text';
  }
  if (UNKNOWN_LOGIN.test(message)) {
    return 'it wants a login that PostgreSQL has not, as GaussDB and openGauss do by default: let it take SCRAM-SHA-256 or MD5 (password_encryption_type, pg_hba.conf) and set the password anew; DWS is fed through object storage (CONSUME_SINK=s3)';
  }
  if (UNTRUSTED.test(code)) return 'give the authority in CONSUME_SINK_SSL_CA_PEM, or renew the certificate';
  if (code.startsWith('28') || LOGIN.test(message)) {
    return 'look at CONSUME_SINK_CONNECTION_USER, CONSUME_SINK_CONNECTION_PASSWORD and pg_hba.conf';
  }
  if (code === '3D000') return 'look at the database in CONSUME_SINK_URL';
  if (code === '42501') return 'grant CONSUME_SINK_CONNECTION_USER what it needs (docs/postgres.md)';
  if (code === '42P10') return 'give the table a primary key as npm run sink -- ddl prints it';
  if (code === CHECK_VIOLATION) return 'create the partition of the table that the row belongs to';
  if (code === '53100') return 'the disk is full there';
  return '';
}
