import type { Engine } from './engines'
import type { RunningProcess } from './processes'

/** One image under every name, with one layer, which comes a few bytes at a time. */
const script = `
  const { createHash } = require('node:crypto')
  const digestOf = (text) => 'sha256:' + createHash('sha256').update(text).digest('hex')
  const type = 'application/vnd.docker.'
  const layer = digestOf('never to be seen')
  const rootfs = { type: 'layers', diff_ids: [layer] }
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs })
  const manifestType = type + 'distribution.manifest.v2+json'
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: type + 'container.image.v1+json', size: config.length, digest: digestOf(config) },
    layers: [{ mediaType: type + 'image.rootfs.diff.tar.gzip', size: 1e6, digest: layer }],
  })
  let asked = 0
  require('node:http')
    .createServer(({ url }, response) => {
      if (url === '/v2/') return response.end()
      if (url.endsWith(digestOf(config))) return response.end(config)
      if (!url.endsWith(layer)) {
        response.setHeader('Content-Type', manifestType).setHeader('Docker-Content-Digest', digestOf(manifest))
        return response.setHeader('Content-Length', manifest.length).end(manifest)
      }
      const number = ++asked
      console.log('asked ' + number)
      response.writeHead(200, { 'Content-Length': 1e6 })
      const timer = setInterval(() => response.write('some bytes'), 50)
      response.on('close', () => {
        clearInterval(timer)
        console.log('left ' + number)
      })
    })
    .listen(5000, '127.0.0.1', () => console.log('listens'))`

/**
 * A registry where the engine looks for images before all others. It has every image, and takes an hour to give one. It writes
 * `asked 1` when it begins to, and `left 1` when whoever pulls has gone.
 */
export async function startSlowRegistry(engine: Engine): Promise<RunningProcess> {
  const registry = engine.startInside(process.execPath, ['-e', script])
  await registry.waitForLine(/^listens/)
  return registry
}
