import { kafkaErrorName, kafkaErrors } from '../error-codes.ts';
import type { Request } from '../wire/request.ts';
import { type SaslStep, saslAuthenticateRequest, saslHandshakeRequest } from '../wire/sasl.ts';
import type { SaslConfig } from './config.ts';
import { AuthenticationRefused } from './request-failed.ts';
import { Scram } from './scram.ts';

/**
 * Logs in. `ask` sends one request and resolves with its response. Resolves with the milliseconds after which the
 * broker wants another login (0: never). Throws AuthenticationRefused or LoginBroken.
 */
export async function logIn(sasl: SaslConfig, ask: <T>(request: Request<T>) => Promise<T>): Promise<number> {
  const { mechanism, username } = sasl;
  const password = sasl.password.reveal();
  const { errorCode, mechanisms } = await ask(saslHandshakeRequest(mechanism));
  if (errorCode !== kafkaErrors.NONE) {
    throw new AuthenticationRefused(errorCode, kafkaErrorName(errorCode), mechanisms);
  }
  const step = async (message: string): Promise<SaslStep> => {
    const answer = await ask(saslAuthenticateRequest(Buffer.from(message)));
    if (answer.errorCode === kafkaErrors.NONE) return answer;
    const words = answer.errorMessage ?? kafkaErrorName(answer.errorCode);
    throw new AuthenticationRefused(answer.errorCode, withoutSecrets(words, { username, password }));
  };
  // RFC 4616: no authorization identity.
  if (mechanism === 'PLAIN') return (await step(`\0${username}\0${password}`)).lifetimeMs;
  const scram = new Scram(mechanism, { username, password });
  const first = await step(scram.first());
  const second = await step(await scram.final(first.bytes.toString()));
  scram.verify(second.bytes.toString());
  return second.lifetimeMs;
}

/** A broker's message could repeat the credentials, as they are or in a usual encoding. */
function withoutSecrets(
  text: string,
  { username, password }: { username: string; password: string },
): string {
  const base64 = [`\0${username}\0${password}`, password].flatMap((secret) => [
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    Buffer.from(secret).toString('base64url'),
  ]);
  const secrets = [...base64, encodeURIComponent(password), password, username];
  const any = secrets.map((secret) => secret.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|');
  return text.replace(new RegExp(any, 'g'), '[redacted]');
}
