import type Docker from 'dockerode'
import { beyondLease, docks, engineLane, freeze, hits, kill, type Kind, machineOf, type Scene, stop } from './fault'

const onEngine = (daemon: 'dockerd' | 'containerd') => ({
  targets: docks,
  lanes: engineLane,
  victim(scene: Scene) {
    const { host } = machineOf(scene)
    return { process: () => host[daemon], mend: () => host.mend() }
  },
})

/** Somebody with the docker command on that very machine. */
const behind = (name: string, act: (container: Docker.Container, scene: Scene) => Promise<void>): Kind => ({
  name: `container: ${name} behind the worker's back`,
  targets: docks,
  // Not while its daemon is being killed: then nobody could do it.
  lanes: engineLane,
  holds: 0,
  takes: 2,
  async inject(scene) {
    const { docker } = machineOf(scene).host.engine
    return {
      async proof() {
        const [one] = scene.random.shuffled(await docker.listContainers({ all: true }))
        if (one) {
          await act(docker.getContainer(one.Id), scene)
          return `${name}: ${one.Id.slice(0, 12)}`
        }
        // The load may have left none here.
        await scene.load.create({ hostname: scene.target })
        return undefined
      },
      heal: async () => {},
    }
  },
})

export const dockerFaults: Kind[] = [
  hits({ ...onEngine('dockerd'), name: 'dockerd: kill -9', blow: kill, holds: 1, takes: 5 }),
  hits({ ...onEngine('dockerd'), name: 'dockerd: frozen', blow: freeze, holds: beyondLease, takes: beyondLease }),
  hits({ ...onEngine('dockerd'), name: 'dockerd: restarted in good order', blow: stop, holds: 0, takes: 5 }),
  hits({ ...onEngine('containerd'), name: 'containerd: kill -9', blow: kill, holds: 2, takes: 5 }),
  hits({ ...onEngine('containerd'), name: 'containerd: frozen', blow: freeze, holds: beyondLease, takes: beyondLease }),
  behind('removed', async (container, { history }) => {
    history.doomed.add(container.id)
    await container.remove({ force: true })
  }),
  behind('started', (container) => container.start().catch(unlessSo)),
  behind('stopped', (container) => container.stop({ t: 0 }).catch(unlessSo)),
]

/** It is so already: 304. */
function unlessSo(error: { statusCode?: number }): void {
  if (error.statusCode !== 304) throw error as Error
}
