import { readdirSync, readFileSync } from 'node:fs'
import { eventually } from './eventually'

/** Stops a process as SIGSTOP does, and waits until each of its threads stands still: until then it may still answer. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  await eventually(() => threadStates(pid).every((state) => state === 'T'), Boolean, {
    what: `process ${pid} is frozen`,
  })
}

/** The state letters of a process's threads (proc(5)): the word after the name, which stands in brackets. */
const threadStates = (pid: number): (string | undefined)[] =>
  readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2)[0]
  })
