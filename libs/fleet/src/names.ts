/** The cluster-wide topic: whichever dock is free takes from it. */
export const clusterTopic = 'deblox.docker'

/** One dock's topic. */
export const dockTopic = (hostname: string): string => `${clusterTopic}.${hostname}`

/** The dock whose topic it is, or null for the cluster's. */
export const dockOfTopic = (topic: string): string | null =>
  topic === clusterTopic ? null : topic.slice(clusterTopic.length + 1)

/** Every Redis key of a fleet. BullMQ keeps its own under `<prefix>:<topic>:`. */
export const fleetKeys = (prefix: string) => ({
  /** Set of registered host names, and nothing else. */
  docks: `${prefix}:docks`,
  /** Hash: what is known of a dock (see docks.ts). */
  dock: (hostname: string) => `${prefix}:dock:${hostname}`,
  /** String: the incarnation of the worker that may act for the dock. */
  lease: (hostname: string) => `${prefix}:lease:${hostname}`,
  /** Hash: container id → row, one hash a dock. */
  containers: (hostname: string) => `${prefix}:containers:${hostname}`,
  /** Sorted set of `<id> <hostname>`, all of score 0, for look-ups by prefix. */
  ids: `${prefix}:container-ids`,
  /** Sorted set of `<name> <id> <hostname>`, all of score 0. */
  names: `${prefix}:container-names`,
  /** Hash: an accepted job, and the outcome of each of its slots. */
  job: (id: string) => `${prefix}:job:${id}`,
  /** Sorted set of job ids by time of acceptance. */
  jobs: `${prefix}:jobs`,
  /** String: which job an Idempotency-Key stands for. */
  idempotency: (digest: string) => `${prefix}:idempotency:${digest}`,
  /** Hash: the dock and epoch that a (job, slot) was given. */
  placement: (job: string, slot: number) => `${prefix}:placement:${job}:${slot}`,
  /** Stream: outcomes for one API replica. */
  replies: (replica: string) => `${prefix}:replies:${replica}`,
  /** Hash: template name → spec. */
  templates: `${prefix}:templates`,
  /** String: counter of deals, so that every replica goes on where the last one stopped. */
  deals: `${prefix}:deals`,
})

export type FleetKeys = ReturnType<typeof fleetKeys>

const seconds = 1000
const minutes = 60 * seconds
const hours = 60 * minutes

/** Life times and intervals, in milliseconds. */
export const times = {
  /** A worker that has not renewed for so long may not act any more. */
  lease: 10 * seconds,
  heartbeat: 2 * seconds,
  /** BullMQ's lock on an active job, and how often stalled jobs are looked for: a killed worker's job runs again in their sum. */
  jobLock: 10 * seconds,
  stalledCheck: 5 * seconds,
  /** How long an Idempotency-Key is remembered. */
  idempotency: 24 * hours,
  /** How long a finished job can be looked up. */
  finishedJob: 24 * hours,
  placement: 48 * hours,
  /** A replica's reply stream outlives the replica by so much. */
  replies: 10 * minutes,
  /** The worker lists all its containers so often, whatever events said. */
  fullList: 30 * seconds,
} as const

/** How many of each are kept at the most. */
export const counts = {
  finishedJobsPerTopic: 200,
  jobs: 10_000,
  repliesPerReplica: 1_000,
  eventsPerTopic: 100,
} as const
