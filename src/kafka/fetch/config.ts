import type { Meanings, Variables } from '../../variables.ts';

export const meanings = {
  KAFKA_AUTO_OFFSET_RESET: {
    meaning: 'where a group begins that has committed nothing; `none` is refused then',
  },
} as const satisfies Meanings;

export const offsetResets = ['earliest', 'latest', 'none'] as const;

/** Where a group begins that has committed nothing. */
export function offsetReset(variables: Variables): (typeof offsetResets)[number] {
  return variables.oneOf('KAFKA_AUTO_OFFSET_RESET', offsetResets, 'earliest');
}
