import type { Variables } from '../../variables.ts';

export const offsetResets = ['earliest', 'latest', 'none'] as const;

/** Where a group begins that has committed nothing. */
export function offsetReset(variables: Variables): (typeof offsetResets)[number] {
  return variables.oneOf('KAFKA_AUTO_OFFSET_RESET', offsetResets, 'earliest');
}
