import type { AuthenticationProviderArgs, KafkaConfig } from 'kafkajs';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { Failure, messageOf } from '../errors.ts';
import { connectionFailure } from './connection/client-errors.ts';
import type { TokenLogin } from './connection/config.ts';
import { AuthenticationRefused } from './connection/request-failed.ts';
import { logInWithToken, tokenCredentials } from './connection/token-login.ts';
import { tokensOf } from './connection/tokens.ts';
import { kafkaErrors } from './error-codes.ts';
import type { SaslStep } from './wire/sasl.ts';

const TOKEN_WITHIN_MS = 10_000;
const SIZE_BYTES = 4;

/**
 * kafkajs's options for a login with the tokens of this process. kafkajs's own OAUTHBEARER takes a refusal for a
 * success (it doesn't read the challenge, and the broker then closes the connection), and would go on with a refused
 * token, so the exchange is ours.
 */
export function tokenLoginOptions(login: TokenLogin): NonNullable<KafkaConfig['sasl']> {
  const tokens = tokensOf(login);
  const deadline = () => Date.now() + TOKEN_WITHIN_MS;
  const options = {
    mechanism: 'oauthbearer' as const,
    async oauthBearerProvider() {
      return { value: (await tokens.current(deadline())).value.reveal() };
    },
    authenticationProvider: ({ saslAuthenticate }: AuthenticationProviderArgs) => ({
      async authenticate() {
        try {
          const credentials = await tokenCredentials(login, tokens, deadline());
          await logInWithToken(credentials, (message) => stepOf(saslAuthenticate, message));
        } catch (error) {
          throw failureOf(error);
        }
      },
    }),
  };
  return options;
}

/** One message, and what the broker answers. kafkajs has the size in front of both, and throws an error code. */
async function stepOf(
  saslAuthenticate: AuthenticationProviderArgs['saslAuthenticate'],
  message: string,
): Promise<SaslStep> {
  const nothing = Buffer.alloc(0);
  try {
    const bytes = await saslAuthenticate<Buffer>({
      request: { encode: () => new Encoder().writeBytes(Buffer.from(message)).buffer },
      response: { decode: (answer) => answer.subarray(SIZE_BYTES), parse: (answer) => answer },
    });
    return { errorCode: kafkaErrors.NONE, errorMessage: null, bytes: bytes ?? nothing, lifetimeMs: 0 };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (typeof code !== 'number') throw error;
    return { errorCode: code, errorMessage: messageOf(error), bytes: nothing, lifetimeMs: 0 };
  }
}

/**
 * kafkajs tries again what is retriable, on the same connection, which is in the middle of a login: by this type it
 * makes a new one.
 */
function failureOf(error: unknown): unknown {
  if (!(error instanceof Failure || error instanceof AuthenticationRefused)) return error;
  const isKept = error instanceof AuthenticationRefused && error.token === 'kept';
  const failure = isKept
    ? new Failure('BROKER_UNREACHABLE', 'the cluster refused a token that was kept; the next one is new')
    : connectionFailure(error);
  return failure.retriable ? Object.assign(failure, { type: 'ILLEGAL_SASL_STATE' }) : failure;
}
