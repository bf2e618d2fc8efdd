/** A request that got no response. `sent`: the broker may have acted on it. */
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

/** The cluster refused the credentials, the mechanism, or SASL itself. `message` is the cluster's own. */
export class AuthenticationRefused extends Error {
  override readonly name = 'AuthenticationRefused';
  readonly code: number;
  /** The mechanisms that the broker offers, where it said so. */
  readonly mechanisms: readonly string[];
  /** Where the credential was a token: whether it was fetched for this login, or kept from before. */
  readonly token: 'new' | 'kept' | undefined;

  constructor(
    code: number,
    message: string,
    { mechanisms = [], token }: { mechanisms?: readonly string[]; token?: 'new' | 'kept' } = {},
  ) {
    super(message);
    this.code = code;
    this.mechanisms = mechanisms;
    this.token = token;
  }
}

/** The broker's part of the login is wrong: a broker that knows the password would not send it. */
export class LoginBroken extends Error {
  override readonly name = 'LoginBroken';
  readonly code = 'ERR_SASL_LOGIN';
}
