/** The value below which the given share of all values lies, by the nearest rank. Throws a RangeError without values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (found === undefined) throw new RangeError('expected at least one value, got none')
  return found
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

export const p99 = (values: readonly number[]): number => percentile(values, 0.99)
