import { isTopicName } from '../src/topic.ts';
import type { Values } from './function-variables.ts';
import type { SandboxTopic } from './kafka/sandbox.ts';

/** The topics that functions with these variables use, for dead letters, too; and those of `own`. */
export function namedTopics(functions: readonly Values[], own: readonly SandboxTopic[]): SandboxTopic[] {
  const names = functions.flatMap((variables) => {
    const sources = list(variables.CONSUME_TOPICS);
    const template = variables.CONSUME_DEAD_LETTER_TOPIC ?? '{topic}.dead-letter';
    const templates = [template === 'none' ? '' : template, variables.CONSUME_SINK_TOPIC ?? ''];
    return [
      ...[variables.KAFKA_TOPIC, variables.CHECK_TOPIC].flatMap(list),
      ...list(variables.PRODUCE_TOPICS),
      ...sources,
      ...templates.flatMap((text) => sources.map((topic) => text.trim().replaceAll('{topic}', topic))),
    ];
  });
  // Patterns name no topic, and the function itself reports an invalid name.
  const topics = new Map(names.filter(isTopicName).map((name): [string, SandboxTopic] => [name, { name }]));
  for (const topic of own) topics.set(topic.name, topic);
  return [...topics.values()];
}

function list(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
