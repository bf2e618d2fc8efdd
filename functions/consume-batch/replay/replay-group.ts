/** The consumer group that remembers what was replayed from a dead-letter topic, unless `--group` names another. */
export function replayGroupOf(topic: string): string {
  return `${topic}.replay`;
}
