// npm run dev: the API and a worker from their source, restarted when a file is saved, beside a real Redis and a real
// engine. What the environment names (REDIS_URL, DOCKER_HOST) is used; what it does not name is started here, with its
// data in .deblox/dev/. Ctrl-C stops what was started.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const data = `${root}.deblox/dev`
const machineSocket = '/var/run/docker.sock'
const ownEngine = { name: 'deblox-dev', folder: `${data}/engine`, socket: `${data}/engine/docker.sock` }
const redisPort = 6390
const started = []
let stopping = false

process.chdir(root)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void stop(0))
try {
  const url = process.env.REDIS_URL || (await ownRedis())
  const engine = process.env.DOCKER_HOST || (await anEngine())
  // Whoever is on this machine is an admin, unless AUTH=on is in the environment.
  const auth = process.env.AUTH || 'off'
  const env = { REDIS_URL: url, DOCKER_HOST: engine, DEBLOX_STATE_DIR: `${data}/state`, AUTH: auth }
  watch('worker', env)
  watch('api', env)
} catch (error) {
  say(error.message)
  await stop(1)
}

/** Runs a program's source by tsx, which restarts it when one of its files changes. A new action is a new file. */
function watch(app, env) {
  const newFiles = ['libs/actions/src/actions/*.ts', 'templates/*.yaml'].flatMap((files) => ['--include', files])
  const options = ['watch', '--clear-screen=false', '--conditions=deblox-source', ...newFiles]
  start(app, 'node_modules/.bin/tsx', [...options, `apps/${app}/src/main.ts`], env)
}

/** One that an earlier run has left is used again: two servers must never write to one append-only file. */
async function ownRedis() {
  execFileSync('script/requirements', ['up'], { stdio: 'inherit' })
  if (!(await listens(redisPort))) {
    mkdirSync(`${data}/redis`, { recursive: true })
    const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
    const bounded = ['--maxmemory', '1gb', '--maxmemory-policy', 'noeviction']
    const place = ['--bind', '127.0.0.1', '--port', String(redisPort), '--dir', `${data}/redis`]
    start('redis', 'redis-server', [...place, ...durable, ...bounded, '--loglevel', 'warning'])
    await until('Redis answers', () => listens(redisPort))
  }
  return `redis://127.0.0.1:${redisPort}`
}

/** The machine's engine if it answers, else one of our own in a network namespace. */
async function anEngine() {
  if (await answers(machineSocket)) return `unix://${machineSocket}`
  if (process.getuid() !== 0) {
    throw new Error(
      `no Docker engine answers at ${machineSocket}: start it, name another by DOCKER_HOST, or run this as root`,
    )
  }
  if (!(await answers(ownEngine.socket))) {
    execFileSync('script/requirements', ['docks'], { stdio: 'inherit' })
    start('engine', 'script/engine', ['run', ownEngine.name, ownEngine.folder, '--log-level', 'error'])
    await until('the engine answers', () => answers(ownEngine.socket))
    execFileSync('script/busybox-image', [ownEngine.socket])
  }
  return `unix://${ownEngine.socket}`
}

/** In a session of its own, so that Ctrl-C reaches this script alone and all stop in order. */
function start(name, command, args, env = {}) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  })
  const ended = once(child, 'exit').catch((error) => say(`${command}: ${error.message}`))
  started.push({ name, child, ended })
  void ended.then(() => {
    if (stopping) return
    say(`${name} has ended`)
    void stop(1)
  })
}

/** The last started first: the worker needs its engine and Redis to the end. */
async function stop(exitCode) {
  if (stopping) return
  stopping = true
  for (const { name, child, ended } of started.toReversed()) {
    child.kill('SIGTERM')
    await ended
    if (name === 'engine') execFileSync('script/engine', ['clean', ownEngine.name, ownEngine.folder])
  }
  process.exit(exitCode)
}

async function until(what, holds) {
  for (let left = 300; !(await holds()); left--) {
    if (left === 0 || stopping) throw new Error(`not within 60 s: ${what}`)
    await pause(200)
  }
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true))
    socket.on('connect', () => socket.destroy())
    socket.on('error', () => resolve(false))
  })
}

function answers(socketPath) {
  return new Promise((resolve) => {
    if (!existsSync(socketPath)) return resolve(false)
    const ping = request({ socketPath, path: '/_ping', timeout: 2_000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    ping.on('timeout', () => ping.destroy())
    ping.on('error', () => resolve(false))
    ping.end()
  })
}

function say(text) {
  process.stderr.write(`npm run dev: ${text}\n`)
}
