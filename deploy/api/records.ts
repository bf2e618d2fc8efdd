/** Reads answers of unknown shape: a value that is missing or of another type is undefined. */

export type JsonObject = Record<string, unknown>;

export function object(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** The string members of an object that comes as JSON text. */
export function variables(value: unknown): Record<string, string> {
  try {
    const entries = Object.entries(object(JSON.parse(text(value) ?? '{}')));
    return Object.fromEntries(
      entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    return {};
  }
}
