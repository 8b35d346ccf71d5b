import { execFile } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startEngines } from './engines'
import { startRedis } from './redis'
import { repository } from './repository'
import { removeRun, runFolder, sweepDeadRuns } from './run-folder'
import { share } from './shared'

const run = promisify(execFile)

/** Before the first test of the project "fleet": one redis-server and three engines for the whole run. */
export default async function setUp(): Promise<void> {
  await requireWhatTheTestsNeed()
  await sweepDeadRuns()
  endWithTheRunner()
  try {
    // All of them come to an end before what they made is removed, or some would be made after that.
    const [redis, engines] = await allSettled([startRedis(), startEngines(3), build()])
    share(redis, engines)
  } catch (error) {
    await removeRun(runFolder())
    throw error
  }
}

async function requireWhatTheTestsNeed(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error('these tests start Docker engines in network namespaces: run them as root')
  await run(join(repository, 'script/requirements'), ['--check', 'test']).catch((error: { stderr: string }) => {
    throw new Error(`run script/test once, which installs what is missing:\n${error.stderr}`)
  })
}

/** The programs are started as users start them, from the build. Tests must not meet an old one. */
async function build(): Promise<void> {
  await run(join(repository, 'node_modules/.bin/tsc'), ['-b', 'apps/api', 'apps/worker'], { cwd: repository }).catch(
    (error: { stdout: string }) => {
      throw new Error(`the build failed:\n${error.stdout}`)
    },
  )
}

/** jest runs no teardown when it is interrupted. */
function endWithTheRunner(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      void removeRun(runFolder()).finally(() => process.exit(128 + constants.signals[signal]))
    })
  }
}

async function allSettled<A, B, C>(promises: [Promise<A>, Promise<B>, Promise<C>]): Promise<[A, B, C]> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}
