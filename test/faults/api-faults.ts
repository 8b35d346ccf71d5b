import { beyondLease, done, type Kind, replicas } from './fault'

const onApi = { targets: replicas, lanes: (api: string) => [api] }

const kill: Kind = {
  ...onApi,
  name: 'API: kill -9',
  holds: 1,
  takes: 2,
  async inject({ site, target }) {
    const api = site.api(target)
    site.inHand.add(target)
    const exit = await api.process.kill()
    return {
      proof: () => (exit.signal === 'SIGKILL' ? 'ended by SIGKILL' : undefined),
      heal: async () => site.launchApi(api),
    }
  },
}

const freeze: Kind = {
  ...onApi,
  name: 'API: frozen',
  holds: beyondLease,
  takes: beyondLease,
  async inject({ site, target }) {
    const { process } = site.api(target)
    await process.pause()
    return { proof: done('all its threads stand still'), heal: async () => process.resume() }
  },
}

const terminate: Kind = {
  ...onApi,
  name: 'API: SIGTERM',
  holds: 0,
  takes: 3,
  async inject({ site, target }) {
    const api = site.api(target)
    site.inHand.add(target)
    const exit = await api.process.stop(15_000)
    return {
      proof: done(`ended with exit code ${exit.code}`),
      heal: async () => site.launchApi(api),
    }
  },
}

const caller: Kind = {
  name: 'caller: leaves and asks again with its key',
  targets: ['a caller'],
  lanes: () => ['callers'],
  holds: 0,
  takes: 2,
  async inject({ load, random, history }) {
    const before = history.byKey.size
    for (let n = 0; n < 3; n++) await load.createImpatiently(1 + random.below(60))
    return {
      proof: () => (history.byKey.size > before ? 'asked again, and answered with a job' : undefined),
      heal: async () => {},
    }
  },
}

export const apiFaults: Kind[] = [kill, freeze, terminate, caller]
