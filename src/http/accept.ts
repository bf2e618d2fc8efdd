import { mediaType } from './message.ts';

/** More than any client has. */
const MAX_RANGES = 64;

/** The media types of an Accept header, the preferred ones first, without those at q=0 (RFC 9110, section 12.5.1). */
export function acceptedTypes(accept = '*/*'): string[] {
  if (!accept.includes(',') && !accept.includes(';')) return [mediaType(accept)];
  return accept
    .split(',', MAX_RANGES)
    .map((range) => ({
      type: mediaType(range),
      quality: Number(/;\s*q=([\d.]+)/i.exec(range)?.[1] ?? 1),
    }))
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality)
    .map(({ type }) => type);
}
