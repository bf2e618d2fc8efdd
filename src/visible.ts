/**
 * Characters that a terminal, a log viewer or a browser obeys instead of showing: C0 and C1 controls and DEL, line
 * separators, and marks that change the direction of the text (CWE-150, Unicode TR 36).
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const obeyed = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Writes those characters out as `\u001b`. JSON text holds them only inside strings, so it keeps its meaning. */
export function visible(text: string): string {
  return text.replace(obeyed, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
