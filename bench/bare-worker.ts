import { connectRedis } from '@deblox/fleet/redis'
import { times } from '@deblox/fleet/names'
import { Worker } from 'bullmq'

/**
 * A process with a BullMQ worker and nothing else: what the fleet's worker is measured against, with the same settings.
 * Arguments: Redis URL, prefix, topic, concurrency. Told a number, it answers when so many further jobs are done.
 */
const [url = '', prefix = '', topic = '', concurrency = '1'] = process.argv.slice(2)
let left = Infinity

const worker = new Worker(topic, async () => ({}), {
  connection: connectRedis(url, 'patient'),
  prefix,
  concurrency: Number(concurrency),
  lockDuration: times.jobLock,
  stalledInterval: times.stalledCheck,
  maxStalledCount: 2,
})
worker.on('completed', () => {
  if (--left === 0) process.send?.('done')
})
process.on('message', (count: number) => {
  left = count
  process.send?.('counting')
})
process.on('disconnect', () => process.exit(0))
void worker.waitUntilReady().then(() => process.send?.('ready'))
