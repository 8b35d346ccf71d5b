import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { ExpressAdapter } from '@bull-board/express'
import type { Fleet } from '@deblox/fleet/fleet'
import { clusterTopic, dockTopic } from '@deblox/fleet/names'
import type { Express, RequestHandler } from 'express'
import { redacted } from './edges/redacted'
import { pagePolicy } from './edges/security-headers'

/** Every poll of the board asks each topic 16 times: with more docks than this it shows the first ones by name. */
const maxDocks = 100

const policy = pagePolicy({
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'font-src': ["'self'"],
  'connect-src': ["'self'"],
  'base-uri': ["'self'"],
})

/**
 * The job dashboard: the cluster topic and the docks' topics, looked up anew at each request. It changes nothing, whoever looks:
 * a job that BullMQ itself tried again would go past its record, its deadline and its audit. And it shows of a job
 * that it is there, not what it holds.
 */
export function boardAt(path: string, { docks, topics }: Fleet): RequestHandler {
  const serverAdapter = new ExpressAdapter().setBasePath(path)
  const board = createBullBoard({
    queues: [],
    serverAdapter,
    // Both would ask Redis for what its user need not be allowed.
    options: { uiConfig: { boardTitle: 'Deblox', hideRedisDetails: true, showWorkers: false } },
  })
  const shown = new Map<string, RedactedAdapter>()
  const adapterOf = (topic: string): RedactedAdapter => {
    const known = shown.get(topic) ?? new RedactedAdapter(topics.queue(topic), { readOnlyMode: true })
    shown.set(topic, known)
    return known
  }
  const router = serverAdapter.getRouter() as Express
  router.disable('x-powered-by')
  withoutForeign(router)
  return async (request, response, next) => {
    await new Promise<void>((resolve) => policy(request, response, () => resolve()))
    const names = (await docks.names()).slice(0, maxDocks)
    board.replaceQueues([clusterTopic, ...names.map(dockTopic)].map(adapterOf))
    return router(request, response, next)
  }
}

class RedactedAdapter extends BullMQAdapter {
  override async getJob(id: string) {
    const job = await super.getJob(id)
    return job && redacted(job)
  }

  override async getJobs(...args: Parameters<BullMQAdapter['getJobs']>) {
    return (await super.getJobs(...args)).map(redacted)
  }

  override async getJobLogs(): Promise<string[]> {
    return []
  }

  override async getWorkers(): Promise<null> {
    return null
  }
}

const fonts = /<link href="https:[^>]*>/g
const placeholder = /<div id="root">[^]*<\/div>(?=\s*<script defer)/

type Rendered = (error: Error, html: string) => void

/** The page loads nothing from others' servers, which would learn who looks; and what it shows while it loads has styles inline. */
function withoutForeign(router: Express): void {
  const render = router.render.bind(router) as (name: string, options: object, done: Rendered) => void
  router.render = (name: string, options?: object | Rendered, done?: Rendered) =>
    render(name, typeof options === 'object' ? options : {}, (error, html) => {
      const then = typeof options === 'function' ? options : done
      then?.(
        error,
        typeof html === 'string' ? html.replace(fonts, '').replace(placeholder, '<div id="root"></div>') : html,
      )
    })
}
