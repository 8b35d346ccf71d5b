import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answerersFor } from '../../apps/worker/src/calls/answerers'
import { AnsweringDouble } from '../../apps/worker/src/testing/answering-double'
import { callContextDouble } from '../../apps/worker/src/testing/call-context-double'
import { eventually } from '../support/eventually'
import { sharedEngines } from '../support/shared'

const [engine] = sharedEngines() as [ReturnType<typeof sharedEngines>[0]]
const answerers = answerersFor(callContextDouble(engine.dockerHost).context)

afterEach(() => engine.reset())

async function run(script: string, more: object = {}) {
  const container = await engine.docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', script], ...more })
  await container.start()
  return container
}

function asked(kind: string, params: object) {
  const call = new AnsweringDouble({ kind, params })
  const ended = answerers.get(kind)?.(call) as Promise<unknown>
  ended.catch(() => undefined)
  return { call, ended }
}

const listing = (tar: Buffer) => execFileSync('tar', ['-t'], { input: tar }).toString()

describe('attach', () => {
  test('joins a running process, its input and its end', async () => {
    const container = await run('while read x; do echo "got $x"; [ $x = stop ] && exit 4; done', {
      OpenStdin: true,
    })
    const { call, ended } = asked('attach-container', { id: container.id, stdin: true, logs: false })
    await eventually(() => call.begun.length === 1)
    call.write('one\n')
    await eventually(() => call.text(1) === 'got one\n')
    call.write('stop\n')
    expect(await ended).toEqual({ exitCode: 4 })
    expect(call.begun).toEqual([{ tty: false }])
  })

  test('to a process that has one input shuts it, and still hears the rest', async () => {
    const container = await run('cat; echo end', { OpenStdin: true, StdinOnce: true, AttachStdin: true })
    const { call, ended } = asked('attach-container', { id: container.id, stdin: true, logs: true })
    call.write('some')
    call.endInput()
    expect(await ended).toEqual({ exitCode: 0 })
    expect(call.text(1)).toBe('someend\n')
  })

  test('at a terminal has its size, and leaves it running', async () => {
    const container = await run('while read x; do stty size; done', { OpenStdin: true, Tty: true })
    const size = { cols: 77, rows: 33 }
    const { call, ended } = asked('attach-container', { id: container.id, stdin: true, logs: false, size })
    await eventually(async () => {
      call.write('\n')
      await eventually(() => call.text(0).includes('33 77'), undefined, { within: 500 })
    })
    call.leave()
    await expect(ended).rejects.toThrow('the caller has left')
    expect((await container.inspect()).State.Running).toBe(true)
  })

  test('that nobody reads does not hold its container up, and drops output with a mark', async () => {
    const lines = 2_000_000
    const container = await run(`read go; seq ${lines}; echo 1 > /done; read go`, { OpenStdin: true })
    const { call, ended } = asked('attach-container', { id: container.id, stdin: true, logs: false })
    await eventually(() => call.begun.length === 1)
    call.stall()
    call.write('go\n')
    const whole = Array.from({ length: lines }, (_, index) => `${index + 1}\n`).join('')
    const look = asked('exec-container', {
      id: container.id,
      cmd: ['sh', '-c', 'while ! test -e /done; do sleep 0.1; done'],
      tty: false,
      stdin: false,
    })
    expect(await look.ended).toEqual({ exitCode: 0 })
    await call.readOn()
    call.write('go\n')
    expect(await ended).toEqual({ exitCode: 0 })
    const dropped = call
      .text(0)
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { dropped: { bytes: number } }).dropped.bytes)
    const told = dropped.reduce((sum, bytes) => sum + bytes, 0)
    expect(told).toBeGreaterThan(0)
    expect(call.bytes(1).length + told).toBe(whole.length)
  }, 30_000)

  test('to a container that removes itself ends with it', async () => {
    const container = await run('read x; exit 4', { OpenStdin: true, HostConfig: { AutoRemove: true } })
    const { call, ended } = asked('attach-container', { id: container.id, stdin: true, logs: false })
    await eventually(() => call.begun.length === 1)
    call.write('x\n')
    // Docker may have removed it before it could be asked.
    expect([{ exitCode: 4 }, { exitCode: null }]).toContainEqual(await ended)
    await eventually(() => expect(container.inspect()).rejects.toMatchObject({ statusCode: 404 }))
  })

  test('takes no container that does not run', async () => {
    const container = await run('true')
    await container.wait()
    const { ended } = asked('attach-container', { id: container.id, stdin: false, logs: false })
    await expect(ended).rejects.toMatchObject({ code: 'docker_error', status: 409, message: /got one that is exited/ })
  })
})

test('stats come once, or live, each as a line of JSON', async () => {
  const container = await run('sleep 100')
  const once = asked('watch-stats', { id: container.id, live: false })
  expect(await once.ended).toEqual({})
  expect(JSON.parse(once.call.text(0))).toMatchObject({ id: container.id, precpu_stats: expect.any(Object) })
  const live = asked('watch-stats', { id: container.id, live: true })
  await eventually(() => live.call.text(0).split('\n').length >= 3)
  for (const line of live.call.text(0).trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('memory_stats')
  live.call.leave()
  await expect(live.ended).rejects.toThrow('the caller has left')
}, 15_000)

test('a wait ends with the container, or its removal', async () => {
  const container = await run('read x; exit 3', { OpenStdin: true })
  const exit = asked('wait-container', { id: container.id, condition: 'next-exit' })
  const removed = asked('wait-container', { id: container.id, condition: 'removed' })
  await eventually(() => exit.call.begun.length + removed.call.begun.length === 2)
  const typing = asked('attach-container', { id: container.id, stdin: true, logs: false })
  typing.call.write('x\n')
  expect(await exit.ended).toEqual({ exitCode: 3, error: null })
  await container.remove()
  expect(await removed.ended).toEqual({ exitCode: 3, error: null })
  await expect(asked('wait-container', { id: container.id, condition: 'not-running' }).ended).rejects.toMatchObject({
    code: 'docker_error',
    status: 404,
  })
})

describe('an archive', () => {
  let id: string
  beforeEach(async () => {
    ;({ id } = await run('sleep 100'))
  })

  test('goes in and comes out as it was, of 16 MB, also where it comes byte by byte', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'archive-'))
    const bytes = randomBytes(16 * 1024 * 1024)
    writeFileSync(join(folder, 'big'), bytes)
    const tar = execFileSync('tar', ['-C', folder, '-c', 'big'], { maxBuffer: 2 ** 28 })
    rmSync(folder, { recursive: true })
    const put = asked('write-archive', { id, path: '/tmp', noOverwriteDirNonDir: false, copyUidGid: false })
    for (let at = 0; at < 1_000; at++) put.call.write(tar.subarray(at, at + 1))
    for (let at = 1_000; at < tar.length; at += 65_536) put.call.write(tar.subarray(at, at + 65_536))
    put.call.endInput()
    expect(await put.ended).toEqual({})
    const got = asked('read-archive', { id, path: '/tmp/big' })
    expect(await got.ended).toEqual({})
    expect(got.call.begun).toMatchObject([{ stat: { name: 'big', size: bytes.length } }])
    const read = execFileSync('tar', ['-xO'], { input: got.call.bytes(0), maxBuffer: 2 ** 28 })
    expect(read.equals(bytes)).toBe(true)
  }, 30_000)

  test('is refused at once where there is no such folder, before it has been sent', async () => {
    const put = asked('write-archive', { id, path: '/nowhere', noOverwriteDirNonDir: false, copyUidGid: false })
    await expect(put.ended).rejects.toMatchObject({ code: 'docker_error', status: 404, message: /nowhere/ })
    const get = asked('read-archive', { id, path: '/nowhere' })
    await expect(get.ended).rejects.toMatchObject({ code: 'docker_error', status: 404 })
  })

  test('whose sender leaves is not taken for a whole one', async () => {
    const put = asked('write-archive', { id, path: '/tmp', noOverwriteDirNonDir: false, copyUidGid: false })
    put.call.write(Buffer.alloc(512))
    await eventually(() => put.call.begun.length === 1)
    put.call.leave()
    await expect(put.ended).rejects.toThrow('the caller has left')
  })

  test('of all files is an export', async () => {
    const got = asked('export-container', { id })
    expect(await got.ended).toEqual({})
    expect(listing(got.call.bytes(0))).toContain('bin/busybox\n')
  })
})

test('the actions that only read answer as jobs do', async () => {
  const { id } = await run('touch /new; sleep 100')
  const read = async (kind: string, more: object = {}) => {
    const { envelope } = (await asked(kind, { id, ...more }).ended) as { envelope: { Response: { Body: unknown } } }
    return envelope.Response.Body
  }
  expect(await read('inspect-container')).toEqual(await engine.docker.getContainer(id).inspect())
  expect(await read('top-container')).toMatchObject({
    Processes: expect.arrayContaining([expect.arrayContaining(['sleep 100'])]),
  })
  expect(await read('top-container', { psArgs: '-o pid,comm' })).toMatchObject({ Titles: ['PID', 'COMMAND'] })
  await eventually(async () => expect(await read('list-changes')).toContainEqual({ Path: '/new', Kind: 1 }))
})
