/** A peer's words could repeat the credentials, as they are or in a usual encoding. `names` are looked for as they are. */
export function withoutSecrets(
  text: string,
  secrets: readonly string[],
  names: readonly string[] = [],
): string {
  const encoded = secrets.flatMap((secret) => [
    secret,
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    Buffer.from(secret).toString('base64url'),
    encodeURIComponent(secret),
  ]);
  const all = [...encoded, ...names].sort((a, b) => b.length - a.length);
  const any = all.map((secret) => secret.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|');
  return text.replace(new RegExp(any, 'g'), '[redacted]');
}
