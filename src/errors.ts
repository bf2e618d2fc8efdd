import { visible } from './visible.ts';

/** Whether the record may be in the log in spite of the failure. `none`: certainly not. `unknown`: nobody can say. */
export type Delivery = 'none' | 'unknown';

interface ErrorKind {
  status: number;
  errorCode: number;
  retriable: boolean;
  delivery: Delivery;
}

/** The public contract of every failure. All that a caller sees follows from its code. */
const kinds = {
  MALFORMED_REQUEST: { status: 400, errorCode: 400, retriable: false, delivery: 'none' },
  API_KEY_REFUSED: { status: 401, errorCode: 40102, retriable: false, delivery: 'none' },
  SIGNATURE_INVALID: { status: 401, errorCode: 40102, retriable: false, delivery: 'none' },
  TOPIC_NOT_AUTHORIZED: { status: 403, errorCode: 40301, retriable: false, delivery: 'none' },
  TOPIC_NOT_ALLOWED: { status: 403, errorCode: 40301, retriable: false, delivery: 'none' },
  NOT_PERMITTED: { status: 403, errorCode: 40302, retriable: false, delivery: 'none' },
  UNKNOWN_TOPIC: { status: 404, errorCode: 40401, retriable: false, delivery: 'none' },
  UNKNOWN_PARTITION: { status: 404, errorCode: 40402, retriable: false, delivery: 'none' },
  UNKNOWN_ROUTE: { status: 404, errorCode: 404, retriable: false, delivery: 'none' },
  METHOD_NOT_ALLOWED: { status: 405, errorCode: 405, retriable: false, delivery: 'none' },
  NOT_ACCEPTABLE: { status: 406, errorCode: 40601, retriable: false, delivery: 'none' },
  REQUEST_TIMEOUT: { status: 408, errorCode: 408, retriable: true, delivery: 'none' },
  GROUP_ACTIVE: { status: 409, errorCode: 409, retriable: true, delivery: 'none' },
  OFFSET_OUT_OF_RANGE: { status: 409, errorCode: 409, retriable: false, delivery: 'none' },
  RECORD_TOO_LARGE: { status: 413, errorCode: 41301, retriable: false, delivery: 'none' },
  BODY_TOO_LARGE: { status: 413, errorCode: 413, retriable: false, delivery: 'none' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, errorCode: 415, retriable: false, delivery: 'none' },
  EXPECTATION_FAILED: { status: 417, errorCode: 417, retriable: false, delivery: 'none' },
  INVALID_RECORD: { status: 422, errorCode: 422, retriable: false, delivery: 'none' },
  THROTTLED: { status: 429, errorCode: 42901, retriable: true, delivery: 'none' },
  QUEUE_FULL: { status: 429, errorCode: 42901, retriable: true, delivery: 'none' },
  HEADERS_TOO_LARGE: { status: 431, errorCode: 431, retriable: false, delivery: 'none' },
  INTERNAL: { status: 500, errorCode: 500, retriable: false, delivery: 'unknown' },
  CONFIG_INVALID: { status: 500, errorCode: 50001, retriable: false, delivery: 'none' },
  NOT_IMPLEMENTED: { status: 501, errorCode: 501, retriable: false, delivery: 'none' },
  SINK_FAILED: { status: 502, errorCode: 502, retriable: true, delivery: 'unknown' },
  DEAD_LETTER_FAILED: { status: 502, errorCode: 502, retriable: true, delivery: 'unknown' },
  BATCH_UNREADABLE: { status: 502, errorCode: 502, retriable: false, delivery: 'unknown' },
  AUTHENTICATION_FAILED: { status: 503, errorCode: 50303, retriable: false, delivery: 'none' },
  BROKER_UNREACHABLE: { status: 503, errorCode: 50302, retriable: true, delivery: 'none' },
  NO_LEADER: { status: 503, errorCode: 50003, retriable: true, delivery: 'none' },
  NOT_ENOUGH_REPLICAS: { status: 503, errorCode: 50003, retriable: true, delivery: 'none' },
  ACK_TIMEOUT: { status: 504, errorCode: 50401, retriable: true, delivery: 'unknown' },
  CONNECTION_LOST: { status: 504, errorCode: 50401, retriable: true, delivery: 'unknown' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof kinds;

export const errorCodes = Object.keys(kinds) as ErrorCode[];

/** A place in the input that is wrong, such as `records[0].partition`, and why. */
export interface ValidationError {
  path: string;
  message: string;
}

interface FailureDetails {
  cause?: unknown;
  validationErrors?: readonly ValidationError[];
  retryAfterMs?: number;
  headers?: Readonly<Record<string, string>>;
}

/**
 * The only error class for callers. `message` names no address, credential or stack. Details for operators go into
 * `cause`, which is logged.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: ErrorCode;
  readonly validationErrors: readonly ValidationError[] | undefined;
  /** When a retry may succeed, where that is known. */
  readonly retryAfterMs: number | undefined;
  /** Headers that the response needs besides: the allowed methods, the accepted types, the login. */
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(code: ErrorCode, message: string, details: FailureDetails = {}) {
    // Messages often quote what somebody else sent, and they end up on terminals.
    super(visible(message), { cause: details.cause });
    this.code = code;
    this.validationErrors = details.validationErrors;
    this.retryAfterMs = details.retryAfterMs;
    this.headers = details.headers;
  }

  get status(): number {
    return kinds[this.code].status;
  }

  get errorCode(): number {
    return kinds[this.code].errorCode;
  }

  get retriable(): boolean {
    return kinds[this.code].retriable;
  }

  get delivery(): Delivery {
    return kinds[this.code].delivery;
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** SQLSTATE, or the code of a socket, TLS or a name server; empty where there is none, or a number as of web APIs. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

const MAX_CAUSES = 5;

/** An error and its causes, the outermost first. */
export function causesOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let e = error; e instanceof Error && chain.length < MAX_CAUSES; e = e.cause) chain.push(e);
  return chain;
}

/** Turns whatever was thrown into a Failure. Anything else than a Failure is a defect of ours. */
export function toFailure(error: unknown): Failure {
  return error instanceof Failure
    ? error
    : new Failure('INTERNAL', 'an unexpected error; the log has the details', { cause: error });
}
