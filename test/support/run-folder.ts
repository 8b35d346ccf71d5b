import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { readdir, readFile, readlink, rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './repository'

const run = promisify(execFile)

/** Short, since the unix sockets of an engine lie below and may have 107 bytes; with the owner's pid, to see when it is dead. */
const RUN_FOLDER = /^deblox-(\d+)$/
const NAMESPACE = /^deblox-(\d+)-\d+$/
const OWNER = 'DEBLOX_TEST_RUN'
const MARK = 'DEBLOX_TEST_PROCESS_OF'

/** The folder of everything that this test run starts. The global setup makes it; a test that runs without has its own. */
export function runFolder(): string {
  const folder = (process.env[OWNER] ??= folderOf(process.pid))
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Where workers keep which machine they are, unless a test says otherwise; it goes with the run. */
export const stateFolder = (): string => join(runFolder(), 'state')

/** What every process that a test starts has in its environment, and no other has: by this mark leaked ones are found. */
export function mark(): Record<string, string> {
  return { [MARK]: runFolder() }
}

/** Removes the run's folder when nothing is left in it. */
export async function removeEmptyRunFolder(): Promise<void> {
  await rmdir(runFolder()).catch(() => undefined)
}

/** Removes what test runs left that were killed, themselves dead since. Runs that go on beside this one are left alone. */
export async function sweepDeadRuns(): Promise<void> {
  const owners = [...(await owned('/tmp', RUN_FOLDER)), ...(await owned('/run/netns', NAMESPACE))]
  // A folder with this process's own number is an earlier process's: sweeping comes before making.
  for (const pid of new Set(owners)) {
    if (pid === process.pid || !(await isRunning(pid))) await removeRun(folderOf(pid))
  }
}

/** Kills and removes everything that belongs to a run: its engines, its processes, its folder. */
export async function removeRun(folder: string): Promise<void> {
  for (const name of await namesOfEngines(folder)) await cleanEngine(name, join(folder, engineNumber(name)))
  for (const { pid } of await processesOf(folder)) killIfAlive(pid)
  for (const mount of await mountsBelow(folder)) await run('umount', ['--lazy', mount])
  await rm(folder, { recursive: true, force: true })
}

/** Removes what an engine left behind, but for its images and containers. */
export async function cleanEngine(name: string, folder: string): Promise<void> {
  await run(join(repository, 'script/engine'), ['clean', name, folder])
}

/** One line for each thing of a run that still exists: process, network namespace, mount, cgroup, folder. */
export async function leaks(folder: string): Promise<string[]> {
  const prefix = `${basename(folder)}-`
  const processes = await processesOf(folder)
  const namespaces = (await entries('/run/netns')).filter((name) => name.startsWith(prefix))
  const states = (await entries('/run/deblox')).filter((name) => name.startsWith(prefix))
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(`${folder}/`))
  const cgroups = (await entries('/sys/fs/cgroup', true)).filter((name) => name.includes(`deblox-${prefix}`))
  return [
    ...processes.map(({ pid, command }) => `process ${pid}: ${command}`),
    ...namespaces.map((name) => `network namespace ${name}`),
    ...mounts.map((line) => `mount ${line}`),
    ...cgroups.map((name) => `cgroup ${name}`),
    ...states.map((name) => `state of the engine ${name}`),
    ...(await entries(folder)).map((name) => `file ${join(folder, name)}`),
  ]
}

/** False for a process that has ended, also while nobody has asked for its exit code yet. */
export async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The state follows the command's name, which is in brackets and may itself hold brackets and blanks.
  return status !== undefined && !/^ [ZX]/.test(status.slice(status.lastIndexOf(')') + 1))
}

function folderOf(pid: number): string {
  return `/tmp/deblox-${pid}`
}

/** A small disk that a test mounted. Those of engines are in namespaces of their own. */
async function mountsBelow(folder: string): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n')
  return mounts.flatMap((line) => line.split(' ')[1] ?? []).filter((path) => path.startsWith(`${folder}/`))
}

async function namesOfEngines(folder: string): Promise<string[]> {
  const run = basename(folder)
  const numbered = (await entries(folder)).filter((name) => /^\d+$/.test(name)).map((number) => `${run}-${number}`)
  const namespaces = (await entries('/run/netns')).filter((name) => NAMESPACE.test(name) && name.startsWith(`${run}-`))
  return [...new Set([...numbered, ...namespaces])]
}

function engineNumber(name: string): string {
  return name.slice(name.lastIndexOf('-') + 1)
}

async function owned(folder: string, pattern: RegExp): Promise<number[]> {
  return (await entries(folder)).flatMap((name) => pattern.exec(name)?.[1] ?? []).map(Number)
}

async function entries(folder: string, recursive = false): Promise<string[]> {
  return readdir(folder, { recursive }).catch(() => [])
}

async function processesOf(folder: string): Promise<{ pid: number; command: string }[]> {
  const pids = (await entries('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      const command = await read(`/proc/${pid}/cmdline`)
      if (command === '' || !(await belongsTo(folder, pid))) return []
      return { pid: Number(pid), command: command.replaceAll('\0', ' ').trim() }
    }),
  )
  return found.flat()
}

async function belongsTo(folder: string, pid: string): Promise<boolean> {
  const environment = await read(`/proc/${pid}/environ`)
  if (environment.split('\0').includes(`${MARK}=${folder}`)) return true
  // redis-server writes its title over its environment. It works in a folder of the run, as long as that exists.
  const workingFolder = await readlink(`/proc/${pid}/cwd`).catch(() => '')
  return workingFolder.startsWith(`${folder}/`)
}

async function read(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '')
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself in between.
  }
}
