/** Times in milliseconds, one for each round: through the fleet, and past it. */
export interface Times {
  fleet: number[]
  direct: number[]
}

export const noTimes = (): Times => ({ fleet: [], direct: [] })

export async function timeOf(task: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await task()
  return performance.now() - began
}

/** Does something again and again for so many milliseconds, and once at the least. */
export async function rounds(ms: number, round: () => Promise<void>): Promise<void> {
  const end = performance.now() + ms
  do await round()
  while (performance.now() < end)
}
