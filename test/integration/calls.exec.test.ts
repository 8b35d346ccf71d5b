import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { answerersFor } from '../../apps/worker/src/calls/answerers'
import { AnsweringDouble } from '../../apps/worker/src/testing/answering-double'
import { callContextDouble } from '../../apps/worker/src/testing/call-context-double'
import { eventually } from '../support/eventually'
import { sharedEngines } from '../support/shared'

const [engine] = sharedEngines() as [ReturnType<typeof sharedEngines>[0]]
const answerers = answerersFor(callContextDouble(engine.dockerHost).context)

let id: string
beforeAll(async () => {
  const container = await engine.docker.createContainer({ name: 'shell', Image: 'busybox' })
  await container.start()
  ;({ id } = container)
})
afterAll(() => engine.reset())

function exec(cmd: string[], more: object = {}) {
  const kind = 'exec-container'
  const call = new AnsweringDouble({ kind, params: { id, cmd, tty: false, stdin: false, ...more } })
  const ended = answerers.get(kind)?.(call) as Promise<{ exitCode: number | null }>
  return { call, ended }
}

test('tells output, errors and the exit code apart', async () => {
  const { call, ended } = exec(['sh', '-c', 'echo out; echo bad >&2; pwd; echo $A; id -u; exit 7'], {
    workdir: '/tmp',
    env: ['A=b c'],
    user: '0',
  })
  expect(await ended).toEqual({ exitCode: 7 })
  expect(call.begun).toEqual([{ tty: false }])
  expect([call.text(1), call.text(2)]).toEqual(['out\n/tmp\nb c\n0\n', 'bad\n'])
})

test('16 MB of any bytes go in and come out as they were', async () => {
  const bytes = randomBytes(16 * 1024 * 1024)
  const { call, ended } = exec(['cat'], { stdin: true })
  for (let at = 0; at < bytes.length; at += 65_536) call.write(bytes.subarray(at, at + 65_536))
  call.endInput()
  expect(await ended).toEqual({ exitCode: 0 })
  expect(call.bytes(1).equals(bytes)).toBe(true)
}, 60_000)

test('what a process says that leaves its input unread arrives', async () => {
  const { call, ended } = exec(['head', '-c', '3'], { stdin: true })
  for (let count = 0; count < 200; count++) call.write(Buffer.alloc(65_536, 'x'))
  expect(await ended).toEqual({ exitCode: 0 })
  expect(call.text(1)).toBe('xxx')
})

test('a terminal has the size that it is given, first and later', async () => {
  const { call, ended } = exec(['sh'], { tty: true, stdin: true, size: { cols: 91, rows: 31 } })
  await eventually(() => call.text(0).includes('#'), undefined, { what: 'a prompt' })
  await eventually(async () => {
    call.write('stty size\n')
    await eventually(() => call.text(0).includes('31 91'), undefined, { within: 500 })
  })
  call.tell({ resize: { cols: 40, rows: 20 } })
  await eventually(async () => {
    call.write('stty size\n')
    await eventually(() => call.text(0).includes('20 40'), undefined, { within: 500 })
  })
  call.write('exit 5\n')
  expect(await ended).toEqual({ exitCode: 5 })
  expect(call.begun).toEqual([{ tty: true }])
})

test('a terminal is given all keys, those too with which Docker would let go of it', async () => {
  const { call, ended } = exec(['sh', '-c', 'stty raw -echo; echo ready; head -c 3 | od -c'], {
    tty: true,
    stdin: true,
  })
  await eventually(() => call.text(0).includes('ready'))
  call.write('\x10\x11x')
  expect(await ended).toEqual({ exitCode: 0 })
  expect(call.text(0)).toContain('020 021   x')
})

test('the end of input ends what reads it, at a terminal too', async () => {
  for (const tty of [false, true]) {
    const { call, ended } = exec(['sh', '-c', 'cat; echo "the ""end"'], { tty, stdin: true })
    call.write('typed\n')
    await eventually(() => call.text(tty ? 0 : 1).includes('typed'))
    call.endInput()
    expect(await ended).toEqual({ exitCode: 0 })
    expect(call.text(tty ? 0 : 1)).toContain('the end')
  }
})

test('a command that is not there ends with Docker’s words', async () => {
  const { call, ended } = exec(['nowhere'])
  expect([126, 127]).toContain((await ended).exitCode)
  expect(call.text(1)).toContain('nowhere')
})

test('a caller who leaves closes the connection, and what reads its input ends', async () => {
  const { call, ended } = exec(['sh', '-c', 'cat; touch /tmp/ended'], { stdin: true })
  call.write('x')
  await eventually(() => call.text(1) === 'x')
  call.leave()
  await expect(ended).rejects.toThrow('the caller has left')
  const look = exec(['sh', '-c', 'while ! test -e /tmp/ended; do sleep 0.1; done'])
  expect(await look.ended).toEqual({ exitCode: 0 })
})

test('a command whose caller leaves while it is being started does not run on', async () => {
  // Docker calls it running, and nothing has its mark yet: as while runc prepares it, for longer.
  const late = 'echo ready; sleep 1; DEBLOX_EXEC="$0" exec sleep 6543'
  const { call, ended } = exec(['sh', '-c', 'exec env -u DEBLOX_EXEC sh -c "$0" "$DEBLOX_EXEC"', late])
  await eventually(() => call.text(1) === 'ready\n')
  call.leave()
  await expect(ended).rejects.toThrow('the caller has left')
  const processes = async () => JSON.stringify(await engine.docker.getContainer(id).top())
  await eventually(processes, (told) => told.includes('sleep 6543'))
  await eventually(processes, (told) => !told.includes('sleep 6543'))
})

test('a command that ignores that its caller has left runs on, and is told once', async () => {
  const script = 'trap "echo told >> /tmp/told" HUP; echo ready; while :; do sleep 0.1; done'
  const { call, ended } = exec(['sh', '-c', script])
  await eventually(() => call.text(1) === 'ready\n')
  call.leave()
  await expect(ended).rejects.toThrow('the caller has left')
  const told = async () => {
    const look = exec(['cat', '/tmp/told'])
    await look.ended
    return look.call.text(1)
  }
  await eventually(told, (text) => text !== '')
  // Longer than until the next time where nobody was found.
  await wait(1_000)
  expect(await told()).toBe('told\n')
})
