import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunningProcess } from '../support/processes'
import type { Outcome } from './campaign'
import type { History } from './history'
import type { Site } from './site'

/** Writes down all that may explain a broken promise: logs, the callers' history, Redis's file, a census. */
export async function keepEvidence(folder: string, site: Site, outcome: Outcome, history: History): Promise<void> {
  await mkdir(folder, { recursive: true })
  const daemons = site.machines.flatMap(({ host }) => [host.dockerd, host.containerd])
  const workers = site.machines.flatMap((machine) => machine.workers)
  const processes = [...site.apiProcesses, ...workers, ...daemons, site.redis.process]
  for (const process of processes) if (process) await writeLog(folder, process)
  const census = await Promise.all(site.machines.map((machine) => machine.census().catch(String)))
  await writeJson(folder, 'census', census)
  await writeJson(folder, 'outcome', outcome)
  await writeJson(folder, 'history', {
    acknowledged: [...history.acknowledged.values()],
    byKey: [...history.byKey].map(([key, ids]) => [key, [...ids]]),
  })
  await cp(join(site.redis.folder, 'appendonlydir'), join(folder, 'appendonlydir'), { recursive: true })
}

function writeLog(folder: string, { name, pid, lines }: RunningProcess): Promise<void> {
  return writeFile(join(folder, `${name.replaceAll(' ', '-')}-${pid}.log`), `${lines.join('\n')}\n`)
}

const writeJson = (folder: string, name: string, value: unknown): Promise<void> =>
  writeFile(join(folder, `${name}.json`), JSON.stringify(value, undefined, 2))
