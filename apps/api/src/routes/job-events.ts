import type { Identity } from '@deblox/actions/access/identity'
import { DebloxError } from '@deblox/actions/errors'
import type { Fleet } from '@deblox/fleet/fleet'
import { isFinished } from '@deblox/fleet/job'
import type { JobEvent } from '@deblox/fleet/job-events'
import { viewJob } from '@deblox/fleet/job-view'
import { jobNotFound, type JobStatus } from '@deblox/fleet/jobs'
import Joi from 'joi'
import { isHisJob, requireUse } from '../access'
import type { JobFollower } from '../job-follower'
import type { Caller, Route } from '../route'
import { withStandstill } from '../standstill'
import { CallerLeft, type Outgoing } from '../streams/outgoing'
import { whileAllowed } from '../streams/right'
import { type ServerEvent, speakEvents, sseHeaders } from '../streams/sse'

/** Where nothing is told of a job, it is looked so often how it stands, in milliseconds. */
const lookMs = 2_000

/** While so many bytes wait for somebody, he is told no more. */
const mostWaiting = 2 ** 18

/** No id has more digits: beyond them Redis would not take the number for one. */
const eventId = /^\d{1,15}-\d{1,15}$/

const request = Joi.object({
  id: Joi.string()
    .guid({ version: 'uuidv7' })
    .required()
    .messages({ 'string.guid': 'expected the id of a job, a UUID' }),
  lastEventId: Joi.string()
    .pattern(eventId)
    .messages({ 'string.pattern.base': 'expected the id of an event, such as 3-0' })
    .description('Tells what came after that event; the header Last-Event-ID does the same, and goes before'),
})

/** What a job goes through, told while it does. `look`: how often it is looked how a job stands of which nothing is told. */
export function jobEventRoutes(fleet: Fleet, follower: JobFollower, look = lookMs): Route[] {
  const { jobs } = fleet

  const stream = async (out: Outgoing, caller: Caller, found: JobStatus, after: string): Promise<void> => {
    const over = new AbortController()
    const allowed = whileAllowed(caller, async (identity) => requireHis(identity, found))
    await speakEvents(out, AbortSignal.any([allowed, over.signal]), async (send) => {
      const end = () => over.abort(new CallerLeft('the job has ended, and with it the answer'))
      const told = new Told(fleet, found.record.id, { send, end })
      await told.begin(after)
      const isFull = () => out.buffered > mostWaiting
      const leave = follower.follow(found.record.id, after, { onEvent: (event) => told.hear(event), isFull })
      const timer = setInterval(() => void told.look().catch(unlessAway), look)
      return () => {
        clearInterval(timer)
        leave()
      }
    })
  }

  return [
    {
      method: 'GET',
      path: '/v1/jobs/:id/events',
      tag: 'jobs',
      summary: 'Follow what a job goes through, as server-sent events, until it has ended',
      request,
      answers: {
        200: 'Server-sent events: what was told of the job up to now, then what is told from now on, and `end`',
        204: 'The job has ended, and all of it was told before: there is no reason to come back',
      },
      async handle({ id, lastEventId }, caller) {
        const after = caller.header('last-event-id') ?? (lastEventId as string | undefined) ?? ''
        if (after !== '' && !eventId.test(after)) {
          throw new DebloxError(
            'invalid_request',
            'Last-Event-ID: expected the id of an event of this job, got another text',
          )
        }
        caller.about.job = id as string
        const found = await jobs.status(id as string)
        requireHis(caller.identity, found)
        const isTold = async () => (await jobs.events(id as string, after, 1)).last === after
        if (after !== '' && found.slots.every(isFinished) && (await isTold())) return { status: 204 }
        return { status: 200, headers: sseHeaders, stream: (out) => stream(out, caller, found, after) }
      },
    },
  ]
}

/** Throws where it is not his to hear, or not any more. Somebody else's job is answered as one that is not there. */
function requireHis(identity: Identity, { record }: JobStatus): void {
  requireUse(identity, 'GET /v1/jobs/:id/events')
  if (!isHisJob(identity, record)) throw jobNotFound(record.id)
}

/** A job that is not there any more has ended long ago; a Redis that is away comes back. */
function unlessAway(error: unknown): void {
  if (!(error instanceof DebloxError)) throw error
}

interface Speaker {
  send: (event: ServerEvent) => void
  end: () => void
}

/** What somebody is told of a job. */
class Told {
  /** Something was told since it was last looked how the job stands. */
  private isLively = true
  /** It has ended, and was not heard to when that was seen first. */
  private isOver = false
  private why = ''

  constructor(
    private readonly fleet: Fleet,
    private readonly id: string,
    private readonly speaker: Speaker,
  ) {}

  /** Says first where not all is kept that was told after that event. */
  async begin(after: string): Promise<void> {
    const oldest = (await this.fleet.jobs.events(this.id, '', 1)).events[0]
    if (oldest?.event === 'accepted' || (oldest && after !== '' && numberOf(oldest.id) <= numberOf(after) + 1)) return
    const job = await this.view()
    this.speaker.send({ event: 'gap', data: { oldest: oldest?.at ?? null, job } })
    if (!oldest && job.finishedAt !== null) this.finish(job)
  }

  /** Tells one event; with the last one how the job has ended. Rejects where that cannot be found out now. */
  async hear({ id, event, at, slot, dock, data }: JobEvent): Promise<void> {
    const ended = slot === null && event !== 'accepted'
    // Anybody who can write to Redis can say that it has.
    const job = ended ? await this.ended() : undefined
    if (ended && !job) return
    this.isLively = true
    this.speaker.send({ id, event, data: { ...data, at, slot, dock } })
    if (job) this.finish(job, id)
  }

  /** Looks how a job stands of which nothing was told: why it does not go on, and whether it has ended unheard. */
  async look(): Promise<void> {
    const wasLively = this.isLively
    this.isLively = false
    if (wasLively) return
    const job = await this.view()
    if (this.isLively) return
    if (job.finishedAt !== null) {
      // What was told of that may be on its way still.
      if (this.isOver) this.finish(job)
      this.isOver = true
      return
    }
    const why = job.slots.flatMap(({ slot, dock, error }) =>
      error ? { slot, dock, code: error.code, why: error.message } : [],
    )
    if (JSON.stringify(why) === this.why) return
    this.why = JSON.stringify(why)
    for (const data of why) this.speaker.send({ event: 'waiting', data })
  }

  private finish(job: object, id?: string): void {
    this.speaker.send({ ...(id !== undefined && { id }), event: 'end', data: { job } })
    this.speaker.end()
  }

  private async ended(): Promise<object | undefined> {
    const job = await this.view()
    return job.finishedAt === null ? undefined : job
  }

  private async view() {
    const [found] = await withStandstill(this.fleet, [await this.fleet.jobs.status(this.id)])
    if (!found) throw jobNotFound(this.id)
    return viewJob(found.record, found.slots)
  }
}

/** The number of an event among those that are told of state: of pulls only the latest is kept. */
const numberOf = (id: string): number => Number(id.split('-', 1)[0])
