/** Files of the user's that can't be built in: a sentence a line, each with the file's name. */
export class BuildRefused extends Error {
  override readonly name = 'BuildRefused';

  constructor(sentences: readonly string[]) {
    super(sentences.join('\n'));
  }
}
