import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import type { Request } from '../wire/request.ts';
import { type SaslStep, saslAuthenticateRequest, saslHandshakeRequest } from '../wire/sasl.ts';
import type { ClientOptions } from './client-options.ts';
import type { PasswordLogin } from './config.ts';
import { AuthenticationRefused } from './request-failed.ts';
import { Scram } from './scram.ts';
import type { TokenCredentials } from './token-login.ts';
import { withoutSecrets } from './without-secrets.ts';

/** What a login is made with. */
export type Credentials = PasswordLogin | TokenCredentials;

type Send = (message: string) => Promise<SaslStep>;

/** Fetches a token where the login needs one; undefined where there is no login. Throws a Failure. */
export async function credentialsOf(
  { sasl, tokens }: ClientOptions,
  deadline: number,
): Promise<Credentials | undefined> {
  if (sasl?.mechanism !== 'OAUTHBEARER') return sasl;
  const { tokenCredentials } = await import('./token-login.ts');
  return tokenCredentials(sasl, tokens, deadline);
}

/**
 * Logs in. `ask` sends one request and resolves with its response. Resolves with the milliseconds after which the
 * broker wants another login (0: never). Throws AuthenticationRefused or LoginBroken.
 */
export async function logIn(
  credentials: Credentials,
  ask: <T>(request: Request<T>) => Promise<T>,
): Promise<number> {
  const { errorCode, mechanisms } = await ask(saslHandshakeRequest(credentials.mechanism));
  if (errorCode !== kafkaErrors.NONE) {
    throw new AuthenticationRefused(errorCode, kafkaErrorName(errorCode), { mechanisms });
  }
  const send: Send = (message) => ask(saslAuthenticateRequest(Buffer.from(message)));
  if (credentials.mechanism !== 'OAUTHBEARER') return logInWithPassword(credentials, send);
  return (await import('./token-login.ts')).logInWithToken(credentials, send);
}

async function logInWithPassword(
  { mechanism, username, password: secret }: PasswordLogin,
  send: Send,
): Promise<number> {
  const password = secret.reveal();
  const step: Send = async (message) => {
    const answer = await send(message);
    if (answer.errorCode === kafkaErrors.NONE) return answer;
    const words = answer.errorMessage ?? kafkaErrorName(answer.errorCode);
    const secrets = [`\0${username}\0${password}`, password];
    throw new AuthenticationRefused(answer.errorCode, withoutSecrets(words, secrets, [username]));
  };
  // RFC 4616: no authorization identity.
  if (mechanism === 'PLAIN') return (await step(`\0${username}\0${password}`)).lifetimeMs;
  const scram = new Scram(mechanism, { username, password });
  const first = await step(scram.first());
  const second = await step(await scram.final(first.bytes.toString()));
  scram.verify(second.bytes.toString());
  return second.lifetimeMs;
}
