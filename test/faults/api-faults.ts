import { beyondLease, freeze, hits, kill, type Kind, replicas, type Scene, terminate } from './fault'

const onApi = {
  targets: replicas,
  lanes: (api: string) => [api],
  victim: ({ site, target }: Scene) => ({
    process: () => site.api(target).process,
    hold: () => void site.inHand.add(target),
    mend: async () => site.mendApi(site.api(target)),
  }),
}

const caller: Kind = {
  name: 'caller: leaves and asks again with its key',
  targets: ['a caller'],
  lanes: () => ['callers'],
  holds: 0,
  takes: 2,
  async inject({ load, random }) {
    const leave = () => load.createImpatiently(1 + random.below(60))
    let answered = [await leave(), await leave(), await leave()].includes(true)
    return {
      async proof() {
        answered ||= await leave()
        return answered ? 'left, asked again, and answered with a job' : undefined
      },
      heal: async () => {},
    }
  },
}

export const apiFaults: Kind[] = [
  hits({ ...onApi, name: 'API: kill -9', blow: kill, holds: 1, takes: 2 }),
  hits({ ...onApi, name: 'API: frozen', blow: freeze, holds: beyondLease, takes: beyondLease }),
  hits({ ...onApi, name: 'API: SIGTERM', blow: terminate, holds: 0, takes: 3 }),
  caller,
]
