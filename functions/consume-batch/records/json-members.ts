import { isUtf8 } from 'node:buffer';
import type { Header } from '../../../src/record.ts';

/**
 * The key as a member of a JSON object: its own text where that is JSON, unparsed, because a parser would change big
 * numbers and 1.10; else under another name, because a record must not fail for its key.
 */
export function jsonKeyMember(key: Buffer): string {
  if (!isUtf8(key)) return `"keyBase64":"${base64(key)}"`;
  const text = key.toString();
  return isJson(text) ? `"key":${text}` : `"keyText":${JSON.stringify(text)}`;
}

export function headersMember(headers: readonly Header[]): string {
  const encoded = headers.map(({ key, value }) => ({ key, value: base64(value) }));
  return `"headers":${JSON.stringify(encoded)}`;
}

export function base64(bytes: Buffer | null): string | null {
  return bytes?.toString('base64') ?? null;
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
