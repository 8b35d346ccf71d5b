import { parseChange } from '@deblox/fleet/changes'
import { openFleet } from '@deblox/fleet/fleet'
import type { ObjectKind } from '@deblox/fleet/objects'
import type Docker from 'dockerode'
import { type Chance, withChance } from '../support/chance'
import { eventually } from '../support/eventually'
import { type Fleet, startFleet } from '../support/fleet'

const changes = 1_000
/** So many are under way at the same time. */
const atOnce = 20

const kinds: ObjectKind[] = ['container', 'image', 'volume', 'network']

let fleet: Fleet
/** The engine of dock1, past Deblox. */
let docker: Docker

beforeAll(async () => {
  fleet = await startFleet({ docks: 1 })
  docker = fleet.dock('dock1').engine.docker
}, 60_000)

afterAll(async () => {
  for (const { Id } of await ours(docker.listNetworks())) await docker.getNetwork(Id).remove()
  for (const { Name } of await ours(docker.listVolumes().then(({ Volumes }) => Volumes))) {
    await docker.getVolume(Name).remove()
  }
  for (const { RepoTags } of await docker.listImages()) {
    for (const tag of RepoTags ?? []) if (tag.startsWith('fuzz')) await docker.getImage(tag).remove()
  }
  await fleet.stop()
}, 60_000)

const ours = async <T extends { Name: string }>(listed: Promise<T[]>): Promise<T[]> =>
  (await listed).filter(({ Name }) => Name.startsWith('fuzz'))

test('after 1,000 changes beside Deblox the index says what the engine says, and so do the changes that it told', async () => {
  await withChance(async (chance) => {
    for (let done = 0, looked = 0; done < changes;) {
      const tried = await Promise.allSettled(Array.from({ length: atOnce }, () => change(chance)))
      done += tried.filter(({ status }) => status === 'fulfilled').length
      if (done < looked + 250) continue
      await indexAgrees()
      looked = done
    }
  })
  await indexAgrees()
  const [told, stored] = await Promise.all([replayed(), rows()])
  expect(told).toEqual(stored)
}, 90_000)

/** What can be done to an engine beside Deblox. The cheap ones are done often. */
const acts: [times: number, act: (chance: Chance) => Promise<unknown>][] = [
  [
    30,
    (chance) => docker.createContainer({ Image: 'busybox', name: name(chance), HostConfig: { NetworkMode: 'none' } }),
  ],
  [20, (chance) => docker.getContainer(name(chance)).remove({ force: true })],
  [20, (chance) => docker.getContainer(name(chance)).rename({ name: name(chance) })],
  [3, (chance) => docker.getContainer(name(chance)).start()],
  [4, (chance) => docker.getContainer(name(chance)).pause()],
  [4, (chance) => docker.getContainer(name(chance)).unpause()],
  [3, (chance) => docker.getContainer(name(chance)).kill()],
  [2, (chance) => docker.getContainer(name(chance)).commit({ repo: name(chance), tag: 'made' })],
  [20, (chance) => docker.getImage('busybox').tag({ repo: name(chance), tag: String(chance.below(3)) })],
  [20, (chance) => docker.getImage(`${name(chance)}:${chance.below(3)}`).remove()],
  [2, (chance) => docker.getImage(`${name(chance)}:made`).remove()],
  [20, (chance) => docker.createVolume({ Name: name(chance), Labels: { n: String(chance.below(9)) } })],
  [15, (chance) => docker.getVolume(name(chance)).remove()],
  [3, (chance) => docker.createNetwork({ Name: name(chance), CheckDuplicate: true, Internal: true })],
  [3, (chance) => docker.getNetwork(name(chance)).remove()],
]
const often = acts.flatMap(([times, act]) => Array.from({ length: times }, () => act))

const change = (chance: Chance): Promise<unknown> => chance.one(often)(chance)
const name = (chance: Chance): string => `fuzz-${chance.below(15)}`

/** What the engine itself has, as far as it can be told from two of one kind. */
async function engine(): Promise<Record<ObjectKind, string[]>> {
  const [containers, images, { Volumes }, networks] = await Promise.all([
    docker.listContainers({ all: true }),
    docker.listImages(),
    docker.listVolumes(),
    docker.listNetworks(),
  ])
  const tags = (all: string[] | undefined) => (all ?? []).filter((tag) => !tag.startsWith('<none>')).sort()
  return {
    container: containers.map(({ Id, Names, State }) => `${Id} ${Names[0]?.slice(1)} ${State}`).sort(),
    image: images.map(({ Id, RepoTags, Size }) => `${Id} ${tags(RepoTags).join()} ${Size}`).sort(),
    volume: Volumes.map(({ Name, Driver, Labels }) => `${Name} ${Driver} ${JSON.stringify(Labels ?? {})}`).sort(),
    network: networks.map(({ Id, Name, Driver, Internal }) => `${Id} ${Name} ${Driver} ${Internal}`).sort(),
  }
}

const inIndex = () => openFleet(fleet.redis, fleet.prefix).index

async function indexAgrees(): Promise<void> {
  const look = async () => {
    const index = inIndex()
    const [containers, images, volumes, networks] = await Promise.all([
      index.objects('container', 'dock1'),
      index.objects('image', 'dock1'),
      index.objects('volume', 'dock1'),
      index.objects('network', 'dock1'),
    ])
    expect({
      container: containers.map(({ id, name: own, state }) => `${id} ${own} ${state}`).sort(),
      image: images.map(({ id, tags, size }) => `${id} ${tags.join()} ${size}`).sort(),
      volume: volumes.map(({ name: own, driver, labels }) => `${own} ${driver} ${JSON.stringify(labels)}`).sort(),
      network: networks.map(({ id, name: own, driver, internal }) => `${id} ${own} ${driver} ${internal}`).sort(),
    }).toEqual(await engine())
  }
  // A kind is listed no more than once a second.
  await eventually(look, undefined, { within: 5_000, what: 'the index says what the engine says' })
}

type Told = Record<string, unknown>

/** All rows, by kind and id; without Docker's sentence and when it was seen, which are no news. */
async function rows(): Promise<Told> {
  const all = await Promise.all(kinds.map((kind) => inIndex().objects(kind, 'dock1')))
  return Object.fromEntries(
    kinds.flatMap((kind, n) =>
      (all[n] ?? []).map((row) => [`${kind} ${'id' in row ? row.id : row.name}`, asNews(row)] as const),
    ),
  )
}

const asNews = (row: object | null) => row && { ...row, status: undefined, observedAt: undefined }

async function replayed(): Promise<Told> {
  const told: Told = {}
  for (const entry of await fleet.redis.xrange(openFleet(fleet.redis, fleet.prefix).keys.changes, '-', '+')) {
    const { kind, op, object, row } = parseChange(entry) ?? {}
    if (!kinds.includes(kind as ObjectKind)) continue
    if (op === 'gone') delete told[`${kind} ${object}`]
    else told[`${kind} ${object}`] = asNews(row ?? null)
  }
  return told
}
