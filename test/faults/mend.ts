import { eventually } from '../support/eventually'
import type { Scene } from './fault'
import { register } from './fleet-faults'
import type { Machine } from './machine'
import { joinNetwork } from './network-faults'
import { mendRedis } from './redis-faults'

/** Everything as it should be, whatever was done to it: what a fault's own healing missed is found here. */
export async function mendAll(scene: Pick<Scene, 'site' | 'random'>): Promise<void> {
  const { site } = scene
  await mendRedis(scene)
  await Promise.all(site.machines.map(mendHost))
  for (const machine of site.machines) await machine.mend()
  for (const api of site.apis) site.mendApi(api)
  await Promise.all(site.machines.map(({ hostname }) => register(scene, hostname)))
}

async function mendHost(machine: Machine): Promise<void> {
  const { host } = machine
  await joinNetwork(machine)
  await host.mend()
  const answers = () => host.engine.docker.ping()
  await eventually(answers, undefined, { within: 30_000, what: `${host.engine.name} answers` })
}
