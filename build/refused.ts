/** The user's files that can't be built in: a line for each, with the file's name. */
export class BuildRefused extends Error {
  override readonly name = 'BuildRefused';

  constructor(sentences: readonly string[]) {
    super(sentences.join('\n'));
  }
}
