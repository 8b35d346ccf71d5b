import { eventually } from '../support/eventually'
import { ask } from './ask'
import { docks, type Kind, type Scene, workerLane } from './fault'

/** Taken out of the fleet under load, and put back: its containers are left running, and its jobs must end. */
const unregistered: Kind = {
  name: 'dock: unregistered under load and registered again',
  targets: docks,
  lanes: workerLane,
  holds: 2,
  takes: 5,
  async inject(scene) {
    const { target } = scene
    await insist(scene, 'DELETE', target)
    return {
      async proof() {
        const seen = await ask(scene.random.one(scene.site.apis), {
          method: 'GET',
          path: `/v1/docks/${target}`,
          within: 2_000,
        })
        return seen?.status === 404 ? 'the API knows it no more' : undefined
      },
      heal: () => register(scene, target),
    }
  },
}

export const register = (scene: Pick<Scene, 'site' | 'random'>, hostname: string): Promise<void> =>
  insist(scene, 'PUT', hostname)

/** Asks until it is done, of either replica. */
async function insist({ site, random }: Pick<Scene, 'site' | 'random'>, method: string, hostname: string) {
  const body = method === 'PUT' ? { body: {} } : {}
  const path = `/v1/docks/${hostname}`
  const look = () => ask(random.one(site.apis), { method, path, ...body, headers: { Prefer: 'wait=5' } })
  const isDone = (answer: Awaited<ReturnType<typeof look>>) => (answer?.status ?? 500) < 300 && answer?.status !== 202
  await eventually(look, isDone, { within: 40_000, every: 200, what: `${method} ${path}` })
}

export const fleetFaults: Kind[] = [unregistered]
