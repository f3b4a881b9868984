/**
 * Waits for all of them, also where one fails, so that nothing goes on behind the back of whoever cleans up.
 *
 * @throws what the first in order that failed threw
 */
export async function settleAll<T extends readonly unknown[]>(work: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  await Promise.allSettled(work)
  return await Promise.all(work)
}
