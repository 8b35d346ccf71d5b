import { readFile } from 'node:fs/promises'
import { globalAgent } from 'node:http'
import { answerersFor } from '../../apps/worker/src/calls/answerers'
import { AnsweringDouble } from '../../apps/worker/src/testing/answering-double'
import { callContextDouble } from '../../apps/worker/src/testing/call-context-double'
import { eventually } from '../support/eventually'
import { sharedEngines } from '../support/shared'

const [engine] = sharedEngines() as [ReturnType<typeof sharedEngines>[0]]
const { context, state } = callContextDouble(engine.dockerHost)
const answerers = answerersFor(context)

let running: string
let stopped: string

beforeAll(async () => {
  const make = (name: string) => engine.docker.createContainer({ name, Image: 'busybox', OpenStdin: true })
  const [one, other] = await Promise.all([make('runs'), make('stopped')])
  await one.start()
  running = one.id
  stopped = other.id
})
afterAll(() => engine.reset())

/**
 * Connections to the engine's socket whose other end is open, by what the kernel says: dockerd itself keeps its end of one that was
 * hijacked until its memory is tidied. An end that another end refers to is counted three times, else twice.
 */
async function connections(): Promise<number> {
  // What is kept for the next request is no stream's.
  for (const socket of Object.values(globalAgent.freeSockets).flat()) socket?.destroy()
  const lines = (await readFile('/proc/net/unix', 'utf8')).split('\n')
  return lines.filter((line) => line.endsWith(` ${engine.socket}`) && /^\w+: 00000003 (\w+ ){3}03 /.test(line)).length
}

const failureOf = (ended: Promise<unknown> | undefined): Promise<unknown> =>
  Promise.resolve(ended).then(
    () => undefined,
    (error: unknown) => error,
  )

const output = { stdout: true, stderr: true }
const calls: [string, string, (() => object)?][] = [
  ['a log that is followed', 'read-logs', () => ({ id: running, follow: true, ...output })],
  ['the log of a stopped container that is followed', 'read-logs', () => ({ id: stopped, follow: true, ...output })],
  ['live stats', 'watch-stats', () => ({ id: running, live: true })],
  ['a wait', 'wait-container', () => ({ id: running, condition: 'not-running' })],
  ['an exec', 'exec-container', () => ({ id: running, cmd: ['sleep', '4321'], tty: false, stdin: false })],
  ['an exec at a terminal', 'exec-container', () => ({ id: running, cmd: ['sh'], tty: true, stdin: true })],
  ['an attach', 'attach-container', () => ({ id: running, stdin: true, logs: false })],
  ['an archive that nobody reads', 'read-archive', () => ({ id: running, path: '/' })],
  ['an export that nobody reads', 'export-container', () => ({ id: running })],
  [
    'an archive on its way in',
    'write-archive',
    () => ({ id: running, path: '/tmp', noOverwriteDirNonDir: false, copyUidGid: false }),
  ],
]

test.each(calls)(
  '%s has its connections closed when its caller leaves',
  async (_, kind, params) => {
    await eventually(connections, (count) => count === 0)
    const call = new AnsweringDouble({ kind, params: params?.() ?? {} })
    call.stall()
    const ended = answerers.get(kind)?.(call)
    const failure = failureOf(ended)
    await eventually(() => call.begun.length === 1)
    await eventually(connections, (count) => count > 0)
    call.leave()
    expect(await failure).toMatchObject({ message: 'the caller has left' })
    await eventually(connections, (count) => count === 0, { within: 5_000 })
  },
  15_000,
)

test('a command whose caller has left does not run on', async () => {
  const call = new AnsweringDouble({
    kind: 'exec-container',
    params: { id: running, cmd: ['sh', '-c', 'sleep 5432 & sleep 5433'], tty: false, stdin: false },
  })
  const ended = answerers.get('exec-container')?.(call)
  const failure = failureOf(ended)
  const processes = async () => JSON.stringify(await engine.docker.getContainer(running).top())
  await eventually(processes, (told) => told.includes('sleep 5432') && told.includes('sleep 5433'))
  call.leave()
  expect(await failure).toMatchObject({ message: 'the caller has left' })
  await eventually(processes, (told) => !/sleep (4321|5432|5433)/.test(told))
  expect(await processes()).toContain('sleep 3600')
})

test('a slow reader of a fast log costs little, and is told each line that he has not had', async () => {
  const lines = 150_000
  const log = await engine.docker.createContainer({
    Image: 'busybox',
    // It takes longer than somebody who takes nothing is waited for, however fast the engine is.
    Cmd: ['sh', '-c', `seq ${lines / 2}; sleep 4; seq ${lines / 2 + 1} ${lines}; read x; echo end`],
    OpenStdin: true,
  })
  await log.start()
  const call = new AnsweringDouble({ kind: 'read-logs', params: { id: log.id, follow: true, ...output } }, 32 * 1024)
  call.stall()
  const before = process.memoryUsage().rss
  const ended = answerers.get('read-logs')?.(call)
  const whole = new AnsweringDouble({ kind: 'read-logs', params: { id: log.id, follow: false, tail: 1, ...output } })
  await eventually(
    async () => {
      await answerers.get('read-logs')?.(whole)
      return whole.text(1).includes(` ${lines}\n`)
    },
    undefined,
    { every: 500, within: 30_000 },
  )
  // Another follower, who reads, is at the end: so is the one who does not, or soon.
  const other = new AnsweringDouble({ kind: 'read-logs', params: { id: log.id, follow: true, ...output } })
  const others = answerers.get('read-logs')?.(other)
  await eventually(() => other.text(1).endsWith(` ${lines}\n`), undefined, { every: 200, within: 30_000 })
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
  await call.readOn()
  const typed = new AnsweringDouble({ kind: 'attach-container', params: { id: log.id, stdin: true, logs: false } })
  const typing = answerers.get('attach-container')?.(typed)
  typed.write('x\n')
  await typing
  // With the container goes what Docker has not sent of its log.
  await eventually(() => call.text(1).endsWith(' end\n'), undefined, { within: 30_000 })
  await log.remove()
  expect(await Promise.all([ended, others])).toEqual([{}, {}])
  let next = 1
  let dropped = 0
  const wrong: string[] = []
  for (const { channel, bytes } of call.pieces) {
    if (channel === 0) {
      const mark = (JSON.parse(bytes.toString()) as { dropped: { lines: number } }).dropped
      next += mark.lines
      dropped += mark.lines
    } else {
      for (const [, line] of bytes.toString().matchAll(/^\S+ (\d+|end)$/gm)) {
        if (line !== (next > lines ? 'end' : String(next))) wrong.push(`${line} for ${next}`)
        next++
      }
    }
  }
  expect([wrong, next, dropped > 0]).toEqual([[], lines + 2, true])
}, 60_000)

test('an engine that hangs is waited for no longer than it is believed in', async () => {
  const call = new AnsweringDouble({ kind: 'read-logs', params: { id: running, follow: true, ...output } })
  const ended = answerers.get('read-logs')?.(call)
  const failure = failureOf(ended)
  await eventually(() => call.begun.length === 1)
  await engine.pause()
  state.daemonLost.abort(new Error('it hangs'))
  expect(await failure).toMatchObject({ code: 'daemon_unhealthy' })
  await engine.resume()
})
