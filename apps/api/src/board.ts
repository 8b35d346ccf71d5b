import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { ExpressAdapter } from '@bull-board/express'
import type { Fleet } from '@deblox/fleet/fleet'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import type { Express, RequestHandler } from 'express'

/** Every poll of the board asks each topic 16 times: with more docks than this it shows the first ones by name. */
const maxDocks = 100

/** The job dashboard: the cluster topic and the docks' topics, looked up anew at each request. */
export function boardAt(path: string, { docks, topics }: Fleet): RequestHandler {
  const serverAdapter = new ExpressAdapter().setBasePath(path)
  const board = createBullBoard({
    queues: [],
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Deblox' } },
  })
  const shown = new Map<string, BullMQAdapter>()
  const adapterOf = (topic: string): BullMQAdapter => {
    const known = shown.get(topic) ?? new BullMQAdapter(topics.queue(topic), { readOnlyMode: true })
    shown.set(topic, known)
    return known
  }
  const router = serverAdapter.getRouter() as Express
  router.disable('x-powered-by')
  return async (request, response, next) => {
    const names = (await docks.names()).slice(0, maxDocks)
    board.replaceQueues([clusterTopic, ...names.map(dockTopic)].map(adapterOf))
    return router(request, response, next)
  }
}
