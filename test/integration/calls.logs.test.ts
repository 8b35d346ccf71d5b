import { answerersFor } from '../../apps/worker/src/calls/answerers'
import { AnsweringDouble } from '../../apps/worker/src/testing/answering-double'
import { callContextDouble } from '../../apps/worker/src/testing/call-context-double'
import { eventually } from '../support/eventually'
import { sharedEngines } from '../support/shared'

const [engine] = sharedEngines() as [ReturnType<typeof sharedEngines>[0]]
const answerers = answerersFor(callContextDouble(engine.dockerHost).context)

afterEach(() => engine.reset())

const stamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /
/** The lines without their times. Each must have one, and no other. */
function linesOf(text: string): string[] {
  const lines = text.split('\n')
  expect(lines.pop()).toBe('')
  return lines.map((line) => {
    expect(line).toMatch(stamp)
    return line.replace(stamp, '')
  })
}

async function run(script: string, more: object = {}) {
  const container = await engine.docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', script], ...more })
  await container.start()
  return container
}

function logs(id: string, more: object = {}) {
  const kind = 'read-logs'
  const params = { id, follow: false, stdout: true, stderr: true, ...more }
  const call = new AnsweringDouble({ kind, params })
  return { call, ended: answerers.get(kind)?.(call) as Promise<unknown> }
}

async function logged(id: string, more: object = {}) {
  const { call, ended } = logs(id, more)
  await ended
  return call
}

test('each stream has its lines: of 0 bytes, of 1 MB, and one that was not finished', async () => {
  const script = `echo one; echo bad >&2; echo; head -c 1000000 /dev/zero | tr '\\0' x; echo; head -c 16384 /dev/zero | tr '\\0' y; echo; printf end`
  for (const Tty of [false, true]) {
    const container = await run(script, { Tty })
    await container.wait()
    const call = await logged(container.id)
    expect(call.begun).toEqual([{ tty: Tty }])
    const out = linesOf(`${call.text(1)}\n`).map((line) => line.trimEnd())
    const long = ['x'.repeat(1_000_000), 'y'.repeat(16_384), 'end']
    expect(out).toEqual(Tty ? ['one', 'bad', '', ...long] : ['one', '', ...long])
    expect(linesOf(call.text(2))).toEqual(Tty ? [] : ['bad'])
  }
})

test('since, until, tail and one stream alone are as asked for', async () => {
  const container = await run('for n in 1 2 3 4 5; do echo $n; echo e$n >&2; sleep 0.05; done')
  await container.wait()
  const all = (await logged(container.id)).text(1).split('\n')
  const time = (index: number) => {
    const [, date, fraction] = /^(.*)\.(\d+)Z/.exec(all[index] as string) as unknown as [string, string, string]
    return `${Date.parse(`${date}Z`) / 1000}.${fraction}`
  }
  const out = async (more: object) => linesOf((await logged(container.id, more)).text(1)).join()
  expect(await out({ since: time(3) })).toBe('4,5')
  expect(await out({ until: time(1) })).toBe('1,2')
  expect(await out({ tail: 4 })).toBe('4,5')
  const errors = await logged(container.id, { stdout: false })
  expect([errors.text(1), linesOf(errors.text(2)).join()]).toEqual(['', 'e1,e2,e3,e4,e5'])
})

test.each([false, true])(
  'a follow goes on over restarts, without a line lost or repeated, until the container is gone (terminal: %s)',
  async (Tty) => {
    const script = 'n=$(cat /n || echo 0); while :; do n=$((n+1)); echo $n; echo $n > /n; done'
    const container = await run(`(${script}) 2>/dev/null`, { Tty })
    const { call, ended } = logs(container.id, { follow: true })
    for (let round = 1; round <= 4; round++) {
      const before = call.pieces.length
      await eventually(() => call.pieces.length > before + 5)
      if (round === 2) {
        await container.kill()
        await container.start()
      } else await container.restart({ t: 0 })
    }
    const before = call.pieces.length
    await eventually(() => call.pieces.length > before + 5)
    await container.kill()
    const whole = linesOf((await logged(container.id)).text(1))
    await eventually(() => call.text(1).endsWith(`${whole.at(-1)}\n`))
    await container.remove()
    expect(await ended).toEqual({})
    const seen = linesOf(call.text(1))
    expect(seen.length).toBe(whole.length)
    expect(seen.join('\n') === whole.join('\n')).toBe(true)
  },
  30_000,
)

test('the last lines of a container come to whoever follows it, whatever Docker has told him by its end', async () => {
  const follows = async () => {
    const container = await run('echo one; sleep 0.1; printf bad >&2; sleep 0.1; printf two')
    const { call, ended } = logs(container.id, { follow: true })
    await eventually(() => call.text(1).endsWith(' two\n') && call.text(2).endsWith(' bad\n'))
    expect(linesOf(call.text(1))).toEqual(['one', 'two'])
    call.leave()
    await expect(ended).rejects.toThrow('the caller has left')
  }
  // Several at once, so that the machine has something to do.
  for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: 5 }, follows))
}, 60_000)
