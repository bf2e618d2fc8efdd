/** What a store's answer to a PUT means. */
export type Verdict = 'done' | 'again' | { remedy: string };

/** The codes of S3 that a remedy is known for, whatever their status. */
const remedies: Readonly<Record<string, string>> = {
  AccessDenied: 'allow the key to write (PutObject) to the bucket',
  AuthorizationHeaderMalformed: "set CONSUME_SINK_S3_REGION to the bucket's region",
  ExpiredToken: 'renew CONSUME_SINK_AWS_SESSION_TOKEN and its key, or leave the three to the platform',
  InvalidAccessKeyId: 'look at CONSUME_SINK_AWS_ACCESS_KEY_ID: the store does not know it',
  InvalidToken: 'look at CONSUME_SINK_AWS_SESSION_TOKEN: it belongs to another key',
  NoSuchBucket: 'create the bucket, or correct CONSUME_SINK_S3_BUCKET_NAME',
  PermanentRedirect:
    "the bucket is elsewhere: set CONSUME_SINK_URL and CONSUME_SINK_S3_REGION to its region's",
  RequestTimeTooSkewed: "set the clock of the machine: it differs from the store's",
  SignatureDoesNotMatch: 'look at CONSUME_SINK_AWS_SECRET_ACCESS_KEY and CONSUME_SINK_S3_REGION',
};
/** Refusals of bytes that changed or stopped on their way. */
const accidents = ['BadDigest', 'IncompleteBody', 'RequestTimeout', 'XAmzContentSHA256Mismatch'];

export function verdictOf(status: number, code: string | undefined): Verdict {
  if (status >= 200 && status < 300) return 'done';
  const known = code === undefined ? undefined : remedies[code];
  if (known !== undefined) return { remedy: known };
  if (status >= 500 && status !== 501) return 'again';
  if ([408, 409, 425, 429].includes(status) || accidents.includes(code ?? '')) return 'again';
  if (status >= 300 && status < 400) return { remedy: remedies.PermanentRedirect ?? '' };
  if (status === 401 || status === 403) {
    return { remedy: "look at the sink's access key and at what it may do with the bucket" };
  }
  return { remedy: 'look at CONSUME_SINK_URL, CONSUME_SINK_S3_BUCKET_NAME and the region' };
}

/** The error code in an answer's XML. The rest of the text may repeat what was sent. */
export function codeIn(text: string): string | undefined {
  return /<Code>(\w{1,64})<\/Code>/.exec(text)?.[1];
}
