import assert from 'node:assert/strict';
import { Failure } from '../../src/errors.ts';

export function numbered(count: number, from = 0): { key: string; value: string }[] {
  return Array.from({ length: count }, (_, n) => ({ key: `k${from + n}`, value: `{"n":${from + n}}` }));
}

export function numbersOf(records: readonly { value: Buffer | null }[]): number[] {
  return records.map(({ value }) => JSON.parse(String(value)).n).sort((a, b) => a - b);
}

export const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

/** For `assert.rejects`. */
export function failsWith(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof Failure, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  };
}

/** Pulls until nothing is left; a pull that met the fail-over itself may end with a retriable failure. */
export async function pullAll(pull: () => Promise<{ more: boolean }>): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const answer = await pull().catch((error: { retriable?: boolean }) => {
      if (!error.retriable) throw error;
      return { more: true };
    });
    if (!answer.more) return;
  }
  assert.fail('after 20 pulls there is still something left');
}
