// Entry point of the dock image: an engine, and a worker as soon as the engine answers. Whatever stops the container
// stops the worker first, while the engine can still do what the worker has in hand, and then the engine.
// Arguments are handed to dockerd, e.g. --registry-mirror=http://mirror:5000.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { engineAnswers } from './engine-answers.mjs'
import { prepareForEngine } from './nested-engine.mjs'

const socketPath = '/var/run/docker.sock'
const workerProgram = fileURLToPath(new URL('../../apps/worker/dist/main.js', import.meta.url))

// `docker stop` kills after 10 s by default; both graces together stay below that.
const workerGraceMs = 6_500
const engineGraceMs = 2_500
const engineStartMs = 60_000
const workerRestartMs = 2_000

const stopping = new AbortController()
const stopped = once(stopping.signal, 'abort')
process.exitCode = 1
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    process.exitCode = 0
    stopping.abort()
  })
}

prepareForEngine(log)
const engine = start('dockerd', ['--host', `unix://${socketPath}`, '--shutdown-timeout', '1', ...process.argv.slice(2)])
// Containers do not outlive their engine for long, and a new one may fail to take them over: the container ends.
void engine.ended.then(() => stopping.abort())
if (await engineIsUp()) await keepWorkerRunning()
await stop(engine, engineGraceMs)

/** A worker that crashes is started again: the containers of the dock go on meanwhile. */
async function keepWorkerRunning() {
  while (!stopping.signal.aborted) {
    const worker = start(process.execPath, [workerProgram])
    await Promise.race([worker.ended, stopped])
    await stop(worker, workerGraceMs)
    await pause(workerRestartMs)
  }
}

/** A child process, and a promise of its end that never rejects. */
function start(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(log(`${command}: ${error.message}`)))
    child.once('exit', (code, signal) => resolve(log(`${command} ended: ${signal ?? `exit code ${code}`}`)))
  })
  return { child, ended }
}

/** SIGTERM, and SIGKILL once the grace is over. Returns at once where the process has ended already. */
async function stop({ child, ended }, graceMs) {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await ended
  clearTimeout(timer)
}

/** Waits for the engine; false when it takes too long, or when all is to stop before. */
async function engineIsUp() {
  const deadline = Date.now() + engineStartMs
  while (!stopping.signal.aborted && Date.now() < deadline) {
    if (await engineAnswers(socketPath)) return true
    await pause(200)
  }
  if (!stopping.signal.aborted) log(`expected the engine to answer within ${engineStartMs / 1000} s`)
  return false
}

/** Sleeps, but not when all is to stop. */
async function pause(ms) {
  await delay(ms, undefined, { signal: stopping.signal }).catch(() => undefined)
}

function log(text) {
  process.stderr.write(`dock: ${text}\n`)
}
