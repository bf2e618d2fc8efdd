/** W3C's Trace Context, https://www.w3.org/TR/trace-context/. Anybody can send any, so nothing may depend on it. */

/** The trace that a request or a record is part of. Its texts are safe in a header and in a log line. */
export interface Trace {
  /** As it was sent. */
  traceparent: string;
  /** As it was sent; undefined where it is missing or not valid. */
  tracestate: string | undefined;
  /** 32 hex digits, the same for all that belongs together. */
  traceId: string;
}

/** Later versions may be longer, after another dash (section 3.2.4). Version ff is not one. */
const TRACEPARENT =
  /^(?!ff)(?<version>[0-9a-f]{2})-(?<traceId>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?<more>-[!-~]*)?$/;
/** A key with or without a tenant, and a value of printable ASCII without comma and equals sign (section 3.3.1). */
const STATE_MEMBER = /^[a-z0-9][a-z0-9_*/@-]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]$/;
/** What everybody must be able to pass on (section 3.3.1.5). A longer text is left out, because a cut one is wrong. */
const MAX_LENGTH = 512;
const MAX_STATE_MEMBERS = 32;

/**
 * Reads these two headers; undefined without a valid `traceparent`, since `tracestate` means nothing alone. Never
 * throws: a malformed trace is ignored.
 */
export function traceOf({
  traceparent = '',
  tracestate,
}: {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}): Trace | undefined {
  const { version, traceId, more } =
    (traceparent.length <= MAX_LENGTH && TRACEPARENT.exec(traceparent)?.groups) || {};
  if (traceId === undefined || (version === '00' && more !== undefined)) return undefined;
  return { traceparent, tracestate: isState(tracestate) ? tracestate : undefined, traceId };
}

function isState(text: string | undefined): text is string {
  if (text === undefined || text.length > MAX_LENGTH) return false;
  // White space around a member and empty members are allowed.
  const members = text.split(',').map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''));
  const named = members.filter((member) => member !== '');
  return (
    named.length > 0 &&
    named.length <= MAX_STATE_MEMBERS &&
    named.every((member) => STATE_MEMBER.test(member))
  );
}
