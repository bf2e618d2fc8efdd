import assert from 'node:assert/strict';

export function numbered(count: number): { key: string; value: string }[] {
  return Array.from({ length: count }, (_, n) => ({ key: `${n}`, value: `{"n":${n}}` }));
}

export function numbersOf(records: readonly { value: Buffer | null }[]): number[] {
  return records.map(({ value }) => JSON.parse(String(value)).n).sort((a, b) => a - b);
}

export const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

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
