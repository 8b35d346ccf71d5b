import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { openFleet } from '@deblox/fleet/fleet'
import { openApiKeys } from '@deblox/fleet/signing/api-keys'
import { trustIn } from '@deblox/fleet/signing/trust'
import { stateFolder } from '../test/support/run-folder'
import { newJobId } from '@deblox/fleet/job'
import { dockTopic } from '@deblox/fleet/names'
import { connectRedis, whenReady } from '@deblox/fleet/redis'
import { readReplies } from '@deblox/fleet/replies'
import type { TopicQueue } from '@deblox/fleet/topics'
import { mark } from '../test/support/run-folder'
import type { Setting } from './setting'

/** One of the two that are compared: a queue with a worker process at its other end. */
export interface Side {
  queue: Pick<TopicQueue, 'pause' | 'resume'>
  /** Puts one job on the queue. */
  add: () => Promise<unknown>
  /** Resolves when so many further jobs have ended; to be called before they are added. */
  ended(count: number): Promise<{ all: Promise<unknown> }>
  close(): Promise<void>
}

/** Those of the API beside which jobs are added here: the worker believes no others. */
const apiKeys = () => openApiKeys(join(stateFolder(), 'api-keys.json'))

/** As many at a time as the fleet's worker takes from its dock's topic. */
export const concurrency = 20

/** Jobs `do-nothing` of the fleet, accepted as the API accepts them and heard of as the API hears of them. */
export async function openFleetSide({ redis, prefix, hostname }: Setting): Promise<Side> {
  const client = connectRedis(redis.url, 'fail-fast')
  await whenReady(client, 5_000)
  const { jobs, topics, keys } = openFleet(client, prefix, undefined, trustIn(await apiKeys()))
  const replyTo = keys.replies('bench')
  let left = Infinity
  let done = (): void => {}
  let failure = (_error: Error): void => {}
  const replies = readReplies(redis.url, replyTo, {
    onReply({ outcome: { error } }) {
      if (error) failure(new Error(`do-nothing: ${error.message}`))
      if (--left === 0) done()
    },
    onGap: () => {},
    onError: (error) => failure(error),
  })
  const common = { action: 'do-nothing', params: {}, actor: 'bench', owner: 'bench', replyTo, numbered: false }
  return {
    queue: topics.queue(dockTopic(hostname)),
    add: () =>
      jobs.accept({
        record: { ...common, id: newJobId(), acceptedAt: Date.now(), topics: [dockTopic(hostname)] },
      }),
    async ended(count) {
      left = count
      const all = new Promise<void>((resolve, reject) => {
        done = resolve
        failure = reject
      })
      return { all }
    },
    async close() {
      replies.close()
      await topics.close()
      client.disconnect()
    },
  }
}

/** Jobs of a BullMQ queue with the fleet's settings of queue and worker, and no fleet. */
export async function openBareSide({ redis }: Setting): Promise<Side> {
  const prefix = 'bare'
  const topic = 'queue'
  const client = connectRedis(redis.url, 'fail-fast')
  await whenReady(client, 5_000)
  const { topics } = openFleet(client, prefix)
  const queue = topics.queue(topic)
  const program = join(__dirname, 'bare-worker.ts')
  const env = { ...process.env, ...mark() }
  const worker = fork(program, [redis.url, prefix, topic, String(concurrency)], { env })
  await told(worker, 'ready')
  const name = 'do-nothing'
  return {
    queue,
    // The type of the queue's jobs is the fleet's; what is in them does not matter here.
    add: () => queue.add(name, {} as never),
    async ended(count) {
      const all = told(worker, 'done')
      const counting = told(worker, 'counting')
      worker.send(count)
      await counting
      return { all }
    },
    async close() {
      const exited = once(worker, 'exit')
      worker.disconnect()
      await exited
      await topics.close()
      client.disconnect()
    },
  }
}

function told(worker: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const listen = (message: unknown): void => {
      if (message !== word) return
      worker.off('message', listen)
      worker.off('exit', ended)
      resolve()
    }
    const ended = (): void => reject(new Error(`the bare worker ended before it said ${word}`))
    worker.on('message', listen)
    worker.once('exit', ended)
  })
}
