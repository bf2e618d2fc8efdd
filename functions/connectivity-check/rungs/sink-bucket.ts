import { Failure, messageOf, toFailure } from '../../../src/errors.ts';
import { accessKeyOf } from '../../../src/object-storage/access-key.ts';
import type { StorageConfig } from '../../../src/object-storage/config.ts';
import type { AccessKey } from '../../../src/object-storage/sign.ts';
import { Store } from '../../../src/object-storage/store.ts';
import type { Environment } from '../../../src/variables.ts';
import type { Run } from '../ladder/run.ts';
import type { Finding } from './sink.ts';
import { pathFault } from './sink-path.ts';

/** What the store's codes say about the way to the bucket. */
const OF_KEY = /^(InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|RequestTimeTooSkewed)$/;
const ELSEWHERE =
  /^(PermanentRedirect|TemporaryRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint)/;

/** Asks for an object that is not there and, where the check may write, writes it. */
export async function inspectBucket(
  config: StorageConfig,
  { environment, check, log }: Run,
  deadline: number,
): Promise<Finding> {
  const { bucket } = config;
  const key = keyOf(config, environment);
  if (key instanceof Failure) return { fault: 'SINK_LOGIN', evidence: key.message };
  const store = new Store(config, key, log);
  try {
    const asked = await store.probe('GET', deadline);
    const finding = judge(asked, bucket);
    if (finding) return finding;
    if (!check.roundTrip) {
      const mayLook = asked.code !== 'AccessDenied';
      const evidence = mayLook ? 'the bucket answers' : 'the key is known, and may not read';
      return { evidence: `${evidence}; without CHECK_ROUND_TRIP nothing is written` };
    }
    const { status, code } = await store.probe('PUT', deadline);
    if (status < 300) return { evidence: 'an object was written' };
    return {
      fault: 'SINK_FORBIDDEN',
      evidence: `writing to bucket ${bucket} was answered ${said(status, code)}`,
    };
  } catch (error) {
    return { fault: pathFault(error), evidence: messageOf(error) };
  } finally {
    store.close();
  }
}

function keyOf(config: StorageConfig, environment: Environment): AccessKey | Failure {
  try {
    return accessKeyOf(config, environment);
  } catch (error) {
    return toFailure(error);
  }
}

function judge(
  { status, code }: { status: number; code: string | undefined },
  bucket: string,
): Finding | undefined {
  const evidence = said(status, code);
  if (code === 'NoSuchBucket') return { fault: 'SINK_MISSING', evidence: `there is no bucket ${bucket}` };
  if (OF_KEY.test(code ?? '')) return { fault: 'SINK_LOGIN', evidence };
  if (ELSEWHERE.test(code ?? '') || (status >= 300 && status < 400))
    return { fault: 'SINK_MISMATCH', evidence };
  if (code === 'NoSuchKey' || code === 'AccessDenied' || status === 200) return undefined;
  return { fault: status >= 500 ? 'SINK_TCP' : 'SINK_FORBIDDEN', evidence };
}

function said(status: number, code: string | undefined): string {
  return code === undefined ? `${status}` : `${status} ${code}`;
}
