import { rm } from 'node:fs/promises'
import { leaks, removeEmptyRunFolder, removeRun, runFolder, stateFolder } from './run-folder'
import { sharedEngines, sharedRedis } from './shared'

/** After the last test: removes what the setup has made, and fails the run when a test has left anything else behind. */
export default async function tearDown(): Promise<void> {
  const folder = runFolder()
  let left: string[]
  try {
    await Promise.all([sharedRedis().remove(), ...sharedEngines().map((engine) => engine.remove())])
    await rm(stateFolder(), { recursive: true, force: true })
    await removeEmptyRunFolder()
    left = await leaks(folder)
  } finally {
    await removeRun(folder)
  }
  if (left.length > 0) throw new Error(`the tests left behind:\n${left.join('\n')}`)
}
