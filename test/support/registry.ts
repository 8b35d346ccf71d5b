import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Engine } from './engines'
import type { RunningProcess } from './processes'
import { runFolder } from './run-folder'

/** A real image registry in an engine's network namespace. */
export interface Registry {
  readonly process: RunningProcess
  /** Gives the registry an image of the engine under a name, e.g. `library/ubuntu:latest` for what `docker pull ubuntu` finds. */
  push(image: string, repository: string, tag: string): Promise<void>
  remove(): Promise<void>
}

const ADDRESS = '127.0.0.1:5000'

/** Starts a registry where the engine looks before all others, so that pulls of any name find what was pushed to it. */
export async function startRegistry(engine: Engine): Promise<Registry> {
  const folder = await mkdtemp(join(runFolder(), 'registry-'))
  const settings = { version: 0.1, storage: { filesystem: { rootdirectory: folder } }, http: { addr: ADDRESS } }
  const file = join(folder, 'config.yml')
  // JSON is YAML.
  await writeFile(file, JSON.stringify(settings))
  const process = engine.startInside('docker-registry', ['serve', file])
  await process.waitForLine(/listening on/)
  return {
    process,
    async push(image, repository, tag) {
      const name = `${ADDRESS}/${repository}`
      await engine.docker.getImage(image).tag({ repo: name, tag })
      const pushed = engine.docker.getImage(`${name}:${tag}`)
      const stream = await pushed.push({ authconfig: { username: '', password: '', serveraddress: ADDRESS } })
      await new Promise<void>((resolve, reject) => {
        engine.docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()))
      })
      await pushed.remove()
    },
    async remove() {
      await process.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
