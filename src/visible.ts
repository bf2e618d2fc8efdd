/**
 * What a terminal, a log viewer or a browser obeys instead of showing it: C0 and C1 controls and DEL, line
 * separators, and the marks that turn the direction of what follows (CWE-150, Unicode TR 36).
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const obeyed = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * A text that may come from elsewhere, with those characters written out: `\u001b`. In a JSON text, which holds
 * such characters in its strings alone, this changes nothing that it says.
 */
export function visible(text: string): string {
  return text.replace(obeyed, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
