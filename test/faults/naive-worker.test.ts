import { join } from 'node:path'
import { eventually } from '../support/eventually'
import { History } from './history'
import { Load } from './load'
import { Oracle } from './oracle'
import { Random } from './random'
import { Site } from './site'

const seed = 1

test('a worker without names, claims and leases is found to double a container', async () => {
  const site = await Site.start({ main: join(__dirname, 'naive-worker.cjs') })
  try {
    const history = new History()
    const load = new Load(site, history, new Random(seed))
    const oracle = new Oracle(site, history, { ownWorkers: false, containersMs: 3_000 })

    await Promise.all([load.create({}), load.create({}), load.create({})])
    expect(await oracle.judge(history.of(0))).toEqual([])

    const { worker } = site.machine('dock1')
    await site.machine('dock1').arm('after-create', 1)
    // Several at once, so that each of the three is given one.
    const someCreates = () => Promise.all(Array.from({ length: 6 }, () => load.create({})))
    await eventually(() => someCreates().then(() => !worker.running), Boolean, { within: 60_000, every: 500 })
    await worker.exited

    const found = await oracle.judge(history.of(0))
    expect(found.map(({ what }) => what)).toEqual(['a slot has several containers'])
  } finally {
    await site.stop()
  }
}, 120_000)
