import type Docker from 'dockerode'
import { beyondLease, docks, done, engineLane, type Kind, machineOf, type Scene, type Struck } from './fault'

const onEngine = { targets: docks, lanes: engineLane }

const kill: Kind = {
  ...onEngine,
  name: 'dockerd: kill -9',
  holds: 1,
  takes: 5,
  async inject(scene) {
    const { host } = machineOf(scene)
    const exit = await host.dockerd?.kill()
    return {
      proof: () => (exit?.signal === 'SIGKILL' ? 'ended by SIGKILL' : undefined),
      heal: () => host.startDockerd(),
    }
  },
}

const freeze: Kind = {
  ...onEngine,
  name: 'dockerd: frozen',
  holds: beyondLease,
  takes: beyondLease,
  async inject(scene) {
    const { dockerd } = machineOf(scene).host
    await dockerd?.pause()
    return { proof: done('all its threads stand still'), heal: async () => dockerd?.resume() }
  },
}

const restart: Kind = {
  ...onEngine,
  name: 'dockerd: restarted in good order',
  holds: 0,
  takes: 5,
  async inject(scene) {
    const { host } = machineOf(scene)
    const exit = await host.dockerd?.stop(20_000)
    return {
      proof: () => (exit?.code === 0 ? 'ended with exit code 0' : undefined),
      heal: () => host.startDockerd(),
    }
  },
}

const killContainerd: Kind = {
  ...onEngine,
  name: 'containerd: kill -9',
  holds: 2,
  takes: 5,
  async inject(scene) {
    const { host } = machineOf(scene)
    const exit = await host.containerd?.kill()
    return {
      proof: () => (exit?.signal === 'SIGKILL' ? 'ended by SIGKILL' : undefined),
      heal: () => host.startContainerd(),
    }
  },
}

/** Somebody with the docker command on that very machine. */
const behind = (name: string, act: (container: Docker.Container, scene: Scene) => Promise<void>): Kind => ({
  name: `container: ${name} behind the worker's back`,
  targets: docks,
  // Not while its daemon is being killed: then nobody could do it.
  lanes: engineLane,
  holds: 0,
  takes: 2,
  async inject(scene): Promise<Struck> {
    const { docker } = machineOf(scene).host.engine
    let touched = ''
    const tries = async (): Promise<string | undefined> => {
      if (touched !== '') return touched
      const [one] = scene.random.shuffled(await docker.listContainers({ all: true }))
      if (!one) return undefined
      await act(docker.getContainer(one.Id), scene)
      touched = `${name}: ${one.Id.slice(0, 12)}`
      return touched
    }
    return { proof: () => tries().catch(() => undefined), heal: async () => {} }
  },
})

export const dockerFaults: Kind[] = [
  kill,
  freeze,
  restart,
  killContainerd,
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
