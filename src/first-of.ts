/** The first value that one of these promises gives; undefined once all have rejected or given none. */
export function firstOf<T>(attempts: readonly Promise<T | undefined>[]): Promise<T | undefined> {
  const found = attempts.map(async (attempt) => {
    const value = await attempt;
    if (value === undefined) throw new Error('no value');
    return value;
  });
  return Promise.any(found).catch(() => undefined);
}
