import type { Server } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { callsTo } from '@deblox/fleet/calls/caller'
import type { IndexedRow } from '@deblox/fleet/index'
import { type JobRecord, newJobId } from '@deblox/fleet/job'
import { memoryWatchOf } from '@deblox/fleet/memory'
import { dockTopic } from '@deblox/fleet/names'
import { pino } from 'pino'
import { useFleet } from './fleet-on-redis'
import type { Admission } from '../../apps/api/src/admission'
import { createApp } from '../../apps/api/src/app'
import { readConfig } from '../../apps/api/src/config'
import { guardOf, openKeys } from '../../apps/api/src/guard'
import { JobFollower } from '../../apps/api/src/job-follower'
import { FleetCopy } from '../../apps/api/src/live/fleet-copy'
import { httpServer } from '../../apps/api/src/http-server'
import { metricsOf } from '../../apps/api/src/metrics'
import { allRoutes } from '../../apps/api/src/routes'
import type { Route } from '../../apps/api/src/route'
import { Places } from '../../apps/api/src/streams/places'
import { Waiter } from '../../apps/api/src/wait'
import { type Asker, askers, type ObjectKind, ownerOf, roleOf, subjectOf } from '../../apps/api/src/testing/matrix'

const hex = (n: number): string => n.toString(16).padStart(4, '0').padEnd(64, '0')

/**
 * The API as it is, with its guard and a real Redis, in this process and for a whole file: identities with tokens, and for each
 * of them containers of his own, granted, foreign, of nobody, and one that is not there.
 */
export function useGuardedApi() {
  const use = useFleet()
  const folder = mkdtempSync(join(tmpdir(), 'guarded-'))
  const tokens = new Map<Asker, string>()
  let server: Server
  let routes: Route[]
  let guard: ReturnType<typeof guardOf>
  let stop = async () => {}

  // Before each test there is a fleet anew: all that follows is made on the first one.
  let fleet: ReturnType<typeof use.fleet> | undefined
  beforeEach(async () => {
    if (fleet) return
    fleet = use.fleet()
    const config = readConfig({ DEBLOX_STATE_DIR: folder, DEBLOX_RATE_PER_IDENTITY: '0', DEBLOX_RATE_PER_ADDRESS: '0' })
    const log = pino({ level: 'silent' }, { write: () => undefined })
    const metrics = metricsOf(fleet, memoryWatchOf(use.redis()))
    const keys = await openKeys(config)
    guard = guardOf(fleet, keys, config, metrics, log)
    const calls = callsTo({ fleet, url: use.server().url, keys, onError: () => undefined })
    const waiter = new Waiter(fleet.jobs)
    const admission = { job: async () => {}, template: async () => {} } as Admission
    const copy = new FleetCopy({ fleet, url: use.server().url, onError: () => undefined })
    await copy.start()
    const desk = {
      ...guard,
      fleet,
      auth: config.AUTH,
      waiter,
      admission,
      replyTo: fleet.keys.replies('this'),
      calls,
      copy,
      follower: new JobFollower(fleet.jobs),
      places: new Places(Infinity),
    }
    routes = allRoutes(desk, metrics.route)
    const { gate, edges, onDecided } = guard
    server = httpServer(createApp({ routes, pages: [], gate, edges, onDecided, log })).listen(0, '127.0.0.1')
    await once(server, 'listening')
    stop = async () => {
      copy.stop()
      await calls.close()
      await guard.stop()
    }
    await makeTokens()
    await makeContainers()
  })
  afterAll(async () => {
    server.close()
    await stop()
    rmSync(folder, { recursive: true })
  })

  async function makeTokens(): Promise<void> {
    for (const asker of askers) {
      if (asker === 'none') continue
      const role = roleOf[asker] ?? 'admin'
      const teams = asker === 'team member' ? ['crew'] : []
      const lifeMs = asker === 'expired' ? -1 : 60_000_000
      const made = await guard.tokens.create({ subject: subjectOf(asker), teams, role, createdBy: 'root', lifeMs })
      if (asker === 'revoked') await guard.tokens.revoke(made.view.id)
      tokens.set(asker, made.token)
    }
  }

  async function makeContainers(): Promise<void> {
    await use.fleet().docks.register('dock-1')
    const rows = askers.flatMap((asker) =>
      (['own', 'granted', 'foreign', 'unowned'] as const).map((object): IndexedRow => {
        const owner = { own: ownerOf(asker), granted: 'zoe', foreign: 'zoe', unowned: null }[object]
        const { id, name } = container(asker, object)
        const at = '2026-01-01T00:00:00.000Z'
        const seen = { image: 'busybox', state: 'running', status: 'Up', createdAt: at, observedAt: at }
        return { id, name, dock: 'dock-1', owner, labels: {}, ...seen }
      }),
    )
    await use.fleet().index.write('dock-1', rows, [])
    for (const asker of askers) {
      const on = { container: container(asker, 'granted').id }
      await guard.grants.add({ to: ownerOf(asker), may: ['inspect-container', 'restart-container'], on, by: 'zoe' })
    }
  }

  /** The container that is so to that asker; `missing` is not there. */
  function container(asker: Asker, object: ObjectKind): { id: string; name: string } {
    const kinds: ObjectKind[] = ['own', 'granted', 'foreign', 'unowned', 'missing']
    const n = 1 + askers.indexOf(asker) * kinds.length + kinds.indexOf(object)
    return { id: hex(n), name: `container-${n}` }
  }

  return {
    url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    headersOf: (asker: Asker): Record<string, string> => {
      const token = tokens.get(asker)
      return token === undefined ? {} : { authorization: `Bearer ${token}` }
    },
    routes: () => routes.map(({ method, path }) => `${method} ${path}`),
    container,

    /** A job that somebody else has asked for, about a container that is so to that asker. */
    async accept(action: string, asker: Asker, object: ObjectKind): Promise<JobRecord> {
      const owner = { own: ownerOf(asker), granted: 'zoe', foreign: 'zoe', unowned: 'zed', missing: 'zed' }[object]
      const record: JobRecord = {
        id: newJobId(),
        action,
        params: { id: container(asker, object).id },
        actor: 'zed',
        owner,
        replyTo: use.fleet().keys.replies('this'),
        numbered: false,
        acceptedAt: Date.now(),
        topics: [dockTopic('dock-1')],
      }
      await (fleet ?? use.fleet()).jobs.accept({ record })
      return record
    },
  }
}
