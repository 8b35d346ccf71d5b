import { eventually } from '../support/eventually'
import { ask } from './ask'
import type { PlannedFault } from './plan'
import { docks } from './fault'
import type { Site } from './site'

const patience = { within: 90_000, every: 100 }

/** Waits until whoever was hit does its first job again. */
export async function recovered(site: Site, { target }: PlannedFault): Promise<void> {
  if (docks.includes(target)) await firstJob(site, target)
  else if (target.startsWith('api')) await firstAnswer(site, target)
  else await Promise.all(docks.map((dock) => firstJob(site, dock)))
}

/** A list of images is a job that goes to the dock's own topic and asks its daemon. */
async function firstJob(site: Site, dock: string): Promise<void> {
  let turn = 0
  const look = async () => {
    const api = site.apis[turn++ % site.apis.length]
    return api && (await ask(api, { ...imagesOf(dock), within: 2_500 }))
  }
  await eventually(look, (answer) => answer?.status === 200, { ...patience, what: `${dock} does a job` })
}

async function firstAnswer(site: Site, name: string): Promise<void> {
  const look = () => ask(site.api(name), { method: 'GET', path: '/v1/containers', within: 2_000 })
  await eventually(look, (answer) => answer?.status === 200, { ...patience, what: `${name} answers` })
}

const imagesOf = (dock: string) => ({
  method: 'GET',
  path: `/v1/docks/${dock}/images`,
  headers: { Prefer: 'wait=2' },
})
