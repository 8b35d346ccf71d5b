import { eventually } from '../support/eventually'
import { type Answer, ask } from './ask'
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
        if (seen?.status === 404) return 'the API knows it no more'
        // A worker that was started again in between has registered itself.
        if (seen?.status === 200) await send(scene, 'DELETE', target)
        return undefined
      },
      heal: () => register(scene, target),
    }
  },
}

export const register = (scene: Pick<Scene, 'site' | 'random'>, hostname: string): Promise<void> =>
  insist(scene, 'PUT', hostname)

/** Asks until it is done, of either replica. */
async function insist({ site, random }: Pick<Scene, 'site' | 'random'>, method: string, hostname: string) {
  const isDone = (answer: Answer | undefined) => (answer?.status ?? 500) < 300 && answer?.status !== 202
  const look = () => send({ site, random }, method, hostname)
  await eventually(look, isDone, { within: 90_000, every: 200, what: `${method} of ${hostname}` })
}

function send({ site, random }: Pick<Scene, 'site' | 'random'>, method: string, hostname: string) {
  const body = method === 'PUT' ? { body: {} } : {}
  const path = `/v1/docks/${hostname}`
  return ask(random.one(site.apis), { method, path, ...body, headers: { Prefer: 'wait=5' } })
}

export const fleetFaults: Kind[] = [unregistered]
