/** A value and the block from whose end on it stood. */
export interface Change<Value> {
  readonly block: bigint
  readonly value: Value
}

/** The value at the end of block `asOf`; undefined before the first. @param changes oldest first */
export function valueAt<Value>(changes: readonly Change<Value>[] | undefined, asOf: bigint): Value | undefined {
  return changes?.findLast(({ block }) => block <= asOf)?.value
}
