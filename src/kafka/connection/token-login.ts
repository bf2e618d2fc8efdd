import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import type { SaslStep } from '../wire/sasl.ts';
import type { TokenLogin } from './config.ts';
import { AuthenticationRefused, LoginBroken } from './request-failed.ts';
import { type Token, type Tokens, tokensOf } from './tokens.ts';
import { withoutSecrets } from './without-secrets.ts';

/** Of what the broker says to a refusal. */
const MAX_QUOTED = 500;

export interface TokenCredentials extends TokenLogin {
  token: Token;
  tokens: Tokens;
  /** Whether the token was there before this login. */
  wasKept: boolean;
}

/** Takes the current token, by default of those that the process shares. Throws TokenDenied or TokenUnreachable. */
export async function tokenCredentials(
  login: TokenLogin,
  tokens: Tokens = tokensOf(login),
  deadline: number,
): Promise<TokenCredentials> {
  const { known } = tokens;
  const token = await tokens.current(deadline);
  return { ...login, token, tokens, wasKept: token === known };
}

/**
 * The client's side of OAUTHBEARER (RFC 7628, section 3), without authorization identity. A refusal comes as a
 * challenge, and its error code only after an empty answer to that. Resolves as `logIn` does.
 */
export async function logInWithToken(
  { token, tokens, wasKept, clientSecret }: TokenCredentials,
  send: (message: string) => Promise<SaslStep>,
): Promise<number> {
  const value = token.value.reveal();
  const first = await send(`n,,\x01auth=Bearer ${value}\x01\x01`);
  if (first.errorCode === kafkaErrors.NONE && first.bytes.length === 0) return first.lifetimeMs;
  tokens.drop(token);
  const last = first.errorCode === kafkaErrors.NONE ? await send('\x01') : first;
  if (last.errorCode === kafkaErrors.NONE)
    throw new LoginBroken('the broker refuses the token, and takes it');
  const words = new Set([last.errorMessage ?? kafkaErrorName(last.errorCode), first.bytes.toString()]);
  const message = [...words]
    .map((said) => withoutSecrets(said, [value, clientSecret.reveal()]).slice(0, MAX_QUOTED))
    .join(' ')
    .trim();
  throw new AuthenticationRefused(last.errorCode, message, { token: wasKept ? 'kept' : 'new' });
}
