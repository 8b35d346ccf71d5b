import { join } from 'node:path'
import { RunningProcess } from '../../../test/support/processes'
import { removeEmptyRunFolder } from '../../../test/support/run-folder'

const program = join(__dirname, 'testing/stub-program.ts')

const start = (how: string) =>
  new RunningProcess({
    name: how,
    command: process.execPath,
    args: ['--conditions=deblox-source', '--import', 'tsx', program, how],
  })

afterAll(removeEmptyRunFolder)

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops a program in order', async (signal) => {
  const stub = start('quick')
  await stub.waitForLine(/^started$/)
  stub.signal(signal)
  expect(await stub.exited).toEqual({ code: 0, signal: null })
  expect(stub.lines).toEqual(['starting', 'started', 'stopped'])
})

test('a second signal ends it at once', async () => {
  const stub = start('slow to stop')
  await stub.waitForLine(/^started$/)
  stub.signal('SIGTERM')
  await stub.waitForLine(/^stopping$/)
  stub.signal('SIGINT')
  expect(await stub.exited).toEqual({ code: 1, signal: null })
  expect(stub.lines).toEqual(['starting', 'started', 'stopping'])
})

test('a stop that takes too long is ended by force, in one line, within ten seconds', async () => {
  const stub = start('slow to stop')
  await stub.waitForLine(/^started$/)
  const began = performance.now()
  stub.signal('SIGTERM')
  expect(await stub.exited).toEqual({ code: 1, signal: null })
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(stub.lines.at(-1)).toBe('deblox stub: expected to stop within 9500 ms')
}, 15_000)

test('a signal during the start aborts it', async () => {
  const stub = start('waits for its signal')
  await stub.waitForLine(/^starting$/)
  stub.signal('SIGTERM')
  expect(await stub.exited).toEqual({ code: 0, signal: null })
  expect(stub.lines).toEqual(['starting'])
})

test('a start that takes no notice of the signal is stopped when it has ended', async () => {
  const stub = start('slow to start')
  await stub.waitForLine(/^starting$/)
  stub.signal('SIGTERM')
  expect(await stub.exited).toEqual({ code: 0, signal: null })
  expect(stub.lines).toEqual(['starting', 'started', 'stopped'])
})

test('one that does not end is given up', async () => {
  const stub = start('never started')
  await stub.waitForLine(/^starting$/)
  stub.signal('SIGTERM')
  expect(await stub.exited).toEqual({ code: 0, signal: null })
  expect(stub.lines).toEqual(['starting'])
}, 10_000)

test('a second signal during the start ends it at once', async () => {
  const stub = start('never started')
  await stub.waitForLine(/^starting$/)
  stub.signal('SIGTERM')
  stub.signal('SIGINT')
  expect(await stub.exited).toEqual({ code: 1, signal: null })
})

test('what was foreseen is told in one line', async () => {
  const stub = start('foreseen fault')
  expect(await stub.exited).toEqual({ code: 1, signal: null })
  expect(stub.lines).toEqual(['starting', 'deblox stub: PORT: expected a free port, got 80'])
})

test.each(['unforeseen fault', 'fault in stopping'])(
  'what was not foreseen shows where it comes from: %s',
  async (how) => {
    const stub = start(how)
    if (how === 'fault in stopping') {
      await stub.waitForLine(/^started$/)
      stub.signal('SIGTERM')
    }
    expect(await stub.exited).toEqual({ code: 1, signal: null })
    expect(stub.lines).toContain('deblox stub: TypeError: x is not a function')
    expect(stub.tail()).toMatch(/at .*stub-program\.ts/)
  },
)
