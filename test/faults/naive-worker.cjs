// What one writes first: takes a job, makes the container, says that it is done. No name, no claim, no lease. The
// campaign must find fault with it, or it would find fault with nothing.
const { Worker } = require('bullmq')
const Docker = require('dockerode')

const { REDIS_URL, DEBLOX_PREFIX, DOCKER_HOST, DOCK_HOSTNAME } = process.env
const docker = new Docker({ socketPath: DOCKER_HOST.replace('unix://', '') })
const { hostname, port } = new URL(REDIS_URL)

async function work(job) {
  const data = JSON.parse(job.data.body)
  const labels = { 'deblox.job': data.jobId, 'deblox.slot': String(data.slot) }
  const { id } = await docker.createContainer({ Image: data.params.image, Labels: labels })
  globalThis.debloxCrashPoint?.('after-create', data.jobId)
  const envelope = { Date: new Date().toUTCString(), Response: '', dockerInstance: DOCK_HOSTNAME, statusCode: 201 }
  return { envelope, container: { id, name: id } }
}

for (const topic of ['deblox.docker', `deblox.docker.${DOCK_HOSTNAME}`]) {
  const worker = new Worker(topic, work, {
    connection: { host: hostname, port: Number(port), maxRetriesPerRequest: null },
    prefix: DEBLOX_PREFIX,
    // Shorter than BullMQ's own, so that the test need not wait for a minute.
    lockDuration: 4_000,
    stalledInterval: 2_000,
  })
  worker.on('error', () => {})
}
