/** Decodes base64 (RFC 4648, section 4; padding is optional); undefined where the text is anything else. */
export function base64Bytes(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  // The decoder skips unknown characters, so the text is base64 only if encoding gives it again.
  const again = bytes.toString('base64');
  return again === text || again.replace(/=+$/, '') === text ? bytes : undefined;
}
