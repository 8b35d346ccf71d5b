import { setInterval, setTimeout as wait } from 'node:timers/promises'
import { runProgram, type Stop } from '../program'
import { StartError } from '../start-error'

/** A program that starts and stops as its argument says: what runProgram is tested with. */
const say = (what: string): void => void process.stdout.write(`${what}\n`)

const stop = async (): Promise<void> => say('stopped')

const starts: Record<string, (signal: AbortSignal) => Promise<Stop>> = {
  async quick() {
    return stop
  },
  async 'slow to stop'() {
    return async () => {
      say('stopping')
      await wait(60_000)
    }
  },
  async 'slow to start'() {
    await wait(1_000)
    return stop
  },
  async 'never started'() {
    await wait(60_000)
    return stop
  },
  async 'waits for its signal'(signal) {
    await wait(60_000, undefined, { signal })
    return stop
  },
  async 'foreseen fault'() {
    throw new StartError('PORT: expected a free port, got 80')
  },
  async 'unforeseen fault'() {
    throw new TypeError('x is not a function')
  },
  async 'fault in stopping'() {
    return async () => {
      throw new TypeError('x is not a function')
    }
  },
}

async function main(how: string): Promise<void> {
  const start = starts[how]
  if (!start) throw new RangeError(`expected one of ${Object.keys(starts).join(', ')}, got ${how}`)
  await runProgram('stub', async (signal) => {
    say('starting')
    const stopThis = await start(signal)
    say('started')
    return stopThis
  })
  // As a server would keep it running.
  for await (const _ of setInterval(1_000));
}

void main(process.argv[2] ?? '')
