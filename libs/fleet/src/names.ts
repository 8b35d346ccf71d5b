/** The cluster-wide topic: whichever dock is free takes from it. */
export const clusterTopic = 'deblox.docker'

/** One dock's topic. */
export const dockTopic = (hostname: string): string => `${clusterTopic}.${hostname}`

/** The dock whose topic it is, or null for the cluster's. */
export const dockOfTopic = (topic: string): string | null =>
  topic === clusterTopic ? null : topic.slice(clusterTopic.length + 1)

/** Whether it is one of these. */
export const isTopic = (name: string): boolean =>
  name === clusterTopic || /^deblox\.docker\.[a-zA-Z0-9.-]{1,253}$/.test(name)

/** Where BullMQ keeps the jobs of a topic that no worker has taken: a list, and two sorted sets. */
export const waitingKeys = (prefix: string, topic: string): [list: string, ...sets: string[]] => [
  `${prefix}:${topic}:wait`,
  `${prefix}:${topic}:prioritized`,
  `${prefix}:${topic}:delayed`,
]

/** All keys that BullMQ keeps of a topic, as a pattern of Redis. */
export const topicKeys = (prefix: string, topic: string): string => `${prefix}:${topic}:*`

/** Every Redis key of a fleet. BullMQ keeps its own under `<prefix>:<topic>:`. */
export const fleetKeys = (prefix: string) => ({
  /** Set of registered host names, and nothing else. */
  docks: `${prefix}:docks`,
  /** Hash: what is known of a dock (see docks.ts). */
  dock: (hostname: string) => `${prefix}:dock:${hostname}`,
  /** String: the incarnation of the worker that may act for the dock. */
  lease: (hostname: string) => `${prefix}:lease:${hostname}`,
  /** Hash: which machine the host name stands for, and since when; it outlives the dock's registration. */
  identity: (hostname: string) => `${prefix}:identity:${hostname}`,
  /** Hash: host name → when the last `register` or `unregister` that took effect was accepted. */
  registrations: `${prefix}:registrations`,
  /** Sorted set of host names that were unregistered, by when. */
  removed: `${prefix}:removed`,
  /** String: a UUID that is as old as what this Redis holds. */
  epoch: `${prefix}:epoch`,
  /** Hash: container id → row, one hash a dock. */
  containers: (hostname: string) => `${prefix}:containers:${hostname}`,
  /** Hash: image id → row, one hash a dock; and the same of volumes by name and of networks by id. */
  images: (hostname: string) => `${prefix}:images:${hostname}`,
  volumes: (hostname: string) => `${prefix}:volumes:${hostname}`,
  networks: (hostname: string) => `${prefix}:networks:${hostname}`,
  /** Stream: what changed in the fleet (see changes.ts). */
  changes: `${prefix}:changes`,
  /** Hash: container id → host names, for ids that begin alike (see places.ts). */
  ids: (bucket: string) => `${prefix}:container-ids:${bucket}`,
  /** Hash: container id → `<name> <hostname>`, for names of one digest's beginning. */
  names: (bucket: string) => `${prefix}:container-names:${bucket}`,
  /** Hash: an accepted job, and the outcome of each of its slots. */
  job: (id: string) => `${prefix}:job:${id}`,
  /** List: what a job went through, and beside it a hash of the pulls that go on (see job-events.ts). */
  jobEvents: (id: string) => `${prefix}:job-events:${id}`,
  /** Sorted set of job ids by time of acceptance. */
  jobs: `${prefix}:jobs`,
  /** Sorted set of the ids of jobs that have ended, by the time of their end. */
  finished: `${prefix}:finished`,
  /** Sorted set of the ids of jobs that have not ended, by the time when they are to be looked at for their deadline. */
  deadlines: `${prefix}:deadlines`,
  /** Set of the ids of jobs whose slots are to be undone because one of them did not complete. */
  rollbacks: `${prefix}:rollbacks`,
  /** String: a slot's result that is too large for a job's record. */
  result: (job: string, slot: number) => `${prefix}:result:${job}:${slot}`,
  /** Set of slots that a dock is working on and shall stop. */
  cancels: (hostname: string) => `${prefix}:cancels:${hostname}`,
  /** Sorted set of the docks that may be given new containers, by when that ends if they do not say so again. */
  ready: `${prefix}:ready`,
  /** Set of slots for topics to which the worker that handed them on may not write: an API replica puts them there. */
  handovers: `${prefix}:handovers`,
  /** String: the API replica that looks after what has nobody else to look after it. */
  janitor: `${prefix}:janitor`,
  /** String: which job an Idempotency-Key stands for. */
  idempotency: (digest: string) => `${prefix}:idempotency:${digest}`,
  /** Sorted set of the ids of an owner's jobs that have not ended, by time of acceptance. */
  inflight: (actorDigest: string) => `${prefix}:inflight:${actorDigest}`,
  /** Hash: the dock and epoch that a (job, slot) was given. */
  placement: (job: string, slot: number) => `${prefix}:placement:${job}:${slot}`,
  /** Stream: outcomes for one API replica. */
  replies: (replica: string) => `${prefix}:replies:${replica}`,
  /** Stream: calls for one dock, and what belongs to those that are open (see calls/). */
  calls: (hostname: string) => `${prefix}:calls:${hostname}`,
  /** Stream: what docks answer to the calls of one API replica. */
  frames: (replica: string) => `${prefix}:frames:${replica}`,
  /** Hash: template name → spec. */
  templates: `${prefix}:templates`,
  /** String: counter of deals, so that every replica goes on where the last one stopped. */
  deals: `${prefix}:deals`,
  /** Hash: grant id → what somebody may do with containers that are not his. */
  grants: `${prefix}:grants`,
  /** Hash: owner → what he may ask for, and how much. */
  allowances: `${prefix}:allowances`,
  /** Sorted set of what an owner's creates will take that have not ended, by when they were let in (see quota.ts). */
  reserved: (ownerDigest: string) => `${prefix}:reserved:${ownerDigest}`,
  /** Hash: container id → host names, of one owner's containers. */
  owned: (ownerDigest: string) => `${prefix}:container-owners:${ownerDigest}`,
  /** String: the public keys of the API, as its replicas publish them (see signing/publish.ts). */
  apiKeys: `${prefix}:api-keys`,
  /** String: the key to which secrets for a dock are sealed, as the API has seen it first. */
  sealPin: (hostname: string) => `${prefix}:seal-pin:${hostname}`,
  /** Stream: every decision who may do what, as a chain (see audit-chain.ts). */
  audit: `${prefix}:audit`,
  /** Hash: where the chain begins whose first entries were removed by number. */
  auditCheckpoint: `${prefix}:audit-checkpoint`,
  /** Stream: what workers refused, until an API replica has taken it into the chain. */
  auditIntake: `${prefix}:audit-intake`,
  /** The beginning of counters of requests, for each identity and each address. */
  rates: `${prefix}:rates`,
  /** Hash: token id → who comes with it, and the digest of its secret. */
  tokens: `${prefix}:tokens`,
  /** Hash: token id → when it was last used, in milliseconds. */
  tokenUses: `${prefix}:token-uses`,
  /** String: the replica that makes the first token. */
  firstToken: `${prefix}:first-token`,
  /** String: somebody who has logged in with a browser, by the digest of what the browser keeps. */
  session: (digest: string) => `${prefix}:session:${digest}`,
  /** The beginning of counters of failed credentials. */
  failedLogins: `${prefix}:failed-logins`,
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
  /** A job that has not begun by then is not begun any more: a read has nobody who waits for it. */
  deadline: { read: 5 * minutes, change: 24 * hours },
  /** A record is written with an end, beyond its deadline and all that the job could take after it. */
  job: 48 * hours,
  /** A result too large for the job's record is there for whoever waits for it. */
  largeResult: 10 * minutes,
  /** A cancel that nobody has taken notice of. */
  cancel: 1 * hours,
  placement: 48 * hours,
  /** A claim that superseded another tells a dock that was away for long what to remove at its return. */
  laterPlacement: 30 * 24 * hours,
  /** A job that has not ended after so long no longer counts against its owner: it may have been lost. */
  inflight: 24 * hours,
  /** A replica's reply stream outlives the replica by so much. */
  replies: 10 * minutes,
  /** A login with a browser, however much it is used. */
  session: 8 * hours,
  /** A token is told as last used so often at the most. */
  tokenUse: 1 * minutes,
  /** A token that has expired is still listed for so long. */
  expiredToken: 30 * 24 * hours,
  /** Whoever began to make the first token and has not is taken for dead. */
  firstToken: 1 * minutes,
  /** The worker lists all its containers so often, whatever events said. */
  fullList: 20 * seconds,
} as const

/** How many of each are kept at the most. */
export const counts = {
  /** BullMQ's records of jobs that completed, and of those that did not: 1,000 docks with these fit in 1 GB. */
  finishedJobsPerTopic: 100,
  failedJobsPerTopic: 50,
  /** Jobs that have ended, beside those that age has removed. */
  finishedJobs: 10_000,
  repliesPerReplica: 1_000,
  eventsPerTopic: 100,
  /** Changes of the fleet: who was away for longer begins with a snapshot. */
  changes: 10_000,
  /** What is told of one job. */
  jobEvents: 500,
  /** Decisions in the audit chain: 45 MB, by measure (see docs/adr/0034-audit-chain.md). */
  auditEntries: 100_000,
} as const
