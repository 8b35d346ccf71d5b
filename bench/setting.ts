import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Engine, startEngines } from '../test/support/engines'
import { eventually } from '../test/support/eventually'
import { freePort } from '../test/support/free-port'
import { send } from '../test/support/http'
import { RunningProcess } from '../test/support/processes'
import { type RedisServer, startRedis } from '../test/support/redis'
import { runFolder, stateFolder } from '../test/support/run-folder'
import { copyPrograms } from './programs'

/** What is measured: one engine, one Redis, and the fleet's two programs over them. */
export interface Setting {
  engine: Engine
  redis: RedisServer
  prefix: string
  hostname: string
  /** Where the API listens. */
  url: string
  api: RunningProcess
  worker: RunningProcess
  /** The programs that are measured: a copy of the build. */
  programs: string
  /** The environment of both programs. */
  common: Record<string, string>
}

const prefix = 'bench'
const hostname = 'dock1'

/** Starts everything, and waits until the API calls the dock ready. */
export async function startSetting(): Promise<Setting> {
  const programs = await mkdtemp(join(runFolder(), 'programs-'))
  await copyPrograms(programs)
  const [redis, [engine]] = await Promise.all([startRedis(), startEngines(1)])
  if (!engine) throw new Error('expected an engine, got none')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const common = { REDIS_URL: redis.url, DEBLOX_PREFIX: prefix, DEBLOX_STATE_DIR: stateFolder(), AUTH: 'off' }
  const api = startFrom(programs, 'api', { ...common, HOST: '127.0.0.1', PORT: String(port) })
  // The containers that are started have the host's network, which a dock allows by its own policy only.
  const policy = join(programs, 'policy.json')
  await writeFile(policy, JSON.stringify({ maxProfile: 'privileged' }), { mode: 0o644 })
  const dock = { DOCK_HOSTNAME: hostname, DOCKER_HOST: engine.dockerHost, DEBLOX_DOCK_POLICY: policy }
  const worker = startFrom(programs, 'worker', { ...common, ...dock })
  await eventually(() => isReady(url, [api, worker]), undefined, { within: 30_000, what: 'the dock is ready' })
  return { engine, redis, prefix, hostname, url, api, worker, programs, common }
}

/** Starts a program with its log in a file, as a service manager would: reading it here would take part of the time. */
export function startFrom(
  folder: string,
  program: 'api' | 'worker',
  env: Record<string, string>,
  { name = program, nodeArgs = [] }: { name?: string; nodeArgs?: string[] } = {},
): RunningProcess {
  const main = join(folder, 'apps', program, 'dist/main.js')
  const args = ['-c', 'exec "$0" "$@" >"$LOG"', process.execPath, ...nodeArgs, ...profiling(name), main]
  return new RunningProcess({
    name,
    command: 'sh',
    args,
    cwd: folder,
    env: { ...env, LOG: join(folder, `${name}.log`) },
  })
}

/** With BENCH_PROFILE=FOLDER the programs leave a CPU profile there when they stop. */
function profiling(name: string): string[] {
  const folder = process.env['BENCH_PROFILE']
  return folder ? ['--cpu-prof', '--cpu-prof-dir', folder, '--cpu-prof-name', `${name}.cpuprofile`] : []
}

async function isReady(url: string, processes: RunningProcess[]): Promise<boolean> {
  for (const process of processes) process.assertRunning()
  const { body } = await send(`${url}/v1/docks`, 'GET')
  return (body.items as { state: string }[]).some(({ state }) => state === 'ready')
}
