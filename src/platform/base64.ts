/** The bytes of base64 text (RFC 4648, section 4; the padding may be missing), or undefined where it is anything else. */
export function base64Bytes(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  // The decoder skips over what it doesn't know, so only a text that comes out again was base64.
  const again = bytes.toString('base64');
  return again === text || again.replace(/=+$/, '') === text ? bytes : undefined;
}
