import { readFile } from 'node:fs/promises'

/** How much a process holds in memory, in bytes (proc(5)). */
export async function residentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
}

/** What a process has used of the processors since it was started, in seconds. */
export async function processorOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // After the command's name, which is in brackets: the state is the first field. In hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Looks again and again how much processes hold, until it is asked how much each has grown at the most, in bytes. */
export class Growth {
  private readonly most = new Map<string, number>()
  private readonly looking: Promise<void>
  private over = false

  private constructor(
    private readonly before: ReadonlyMap<string, number>,
    private readonly pids: Readonly<Record<string, number>>,
  ) {
    this.looking = this.look()
  }

  static async since(pids: Record<string, number>): Promise<Growth> {
    return new Growth(await residents(pids), pids)
  }

  async end(): Promise<Map<string, { before: number; growth: number }>> {
    this.over = true
    await this.looking
    return new Map(
      [...this.before].map(([name, before]) => [name, { before, growth: (this.most.get(name) ?? before) - before }]),
    )
  }

  private async look(): Promise<void> {
    while (!this.over) {
      for (const [name, bytes] of await residents(this.pids)) {
        this.most.set(name, Math.max(bytes, this.most.get(name) ?? 0))
      }
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

async function residents(pids: Readonly<Record<string, number>>): Promise<Map<string, number>> {
  const all = Object.entries(pids).map(async ([name, pid]) => [name, await residentOf(pid)] as const)
  return new Map(await Promise.all(all))
}
