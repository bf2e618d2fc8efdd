/** A request that did not get its answer. `sent`: the broker may have acted on it. */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed';
  readonly sent: boolean;
  readonly timedOut: boolean;

  constructor(message: string, { sent = false, timedOut = false, cause }: Partial<RequestFailed> = {}) {
    super(message, { cause });
    this.sent = sent;
    this.timedOut = timedOut;
  }
}

/** The cluster refused the credentials, or the mechanism, or SASL at all; `message` is its own word. */
export class AuthenticationRefused extends Error {
  override readonly name = 'AuthenticationRefused';
  readonly code: number;
  /** Those that the broker would take, where it said so. */
  readonly mechanisms: readonly string[];

  constructor(code: number, message: string, mechanisms: readonly string[] = []) {
    super(message);
    this.code = code;
    this.mechanisms = mechanisms;
  }
}

/** The broker's part of the login is none that a broker which knows the password plays. */
export class LoginBroken extends Error {
  override readonly name = 'LoginBroken';
  readonly code = 'ERR_SASL_LOGIN';
}
