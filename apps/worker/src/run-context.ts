import type { KeyObject } from 'node:crypto'
import type { Rules } from '@deblox/actions/admission/rules'
import type { Action, ActionContext } from '@deblox/actions/define-action'
import type { Secrets } from '@deblox/actions/secrets'
import type { Fleet } from '@deblox/fleet/fleet'
import type { JobPayload, SlotOutcome } from '@deblox/fleet/job'
import type { Telling } from '@deblox/fleet/job-events'
import { deadlineOf } from '@deblox/fleet/payload'
import type Docker from 'dockerode'
import { capBy, type DockPolicy } from './dock-policy'
import type { Gate } from './gate'
import type { Pulls } from './pulls'
import { expired } from './refusals'

/** What a worker runs jobs with. */
export interface RunContext {
  hostname: string
  /** Under which this worker holds its lease. */
  incarnation: string
  docker: Docker
  fleet: Fleet
  /** Open while the daemon answers. */
  daemon: Gate
  /** What the owner of this machine lets run here, whoever asks. */
  policy: DockPolicy
  /** What a job may ask for that does not say by which rules it was accepted. */
  defaultRules: Rules
  /** Aborts when the daemon stops answering: what was asked of it before may never be answered. */
  daemonLost(): AbortSignal
  /** Aborts when the lease under which jobs run now has been lost. */
  leaseLost(): AbortSignal
  /** How long nobody may be called dead, in milliseconds. */
  graceMs(): number
  /** Redis's time, in milliseconds since 1970. */
  now(): number
  /** Shuts the gates until the lease is held again; rejects when the signal aborts. */
  workAgain(signal: AbortSignal): Promise<void>
  pullOnce: Pulls['once']
  /** Tells what a slot goes through that has not ended. Returns at once, and never throws. */
  tell(payload: JobPayload, telling: Omit<Telling, 'dock'>): void
  owners: ActionContext['owners']
  /** The labels of a container, where they have been seen. */
  labelsOf(id: string): Record<string, string> | undefined
  /** The key with which this dock opens what is sealed to it. */
  sealKey: KeyObject
  /** Called when it is written down how a slot ended here. */
  onEnded(payload: JobPayload, outcome: SlotOutcome): Promise<void> | void
  /** Called when it was this dock that wrote down how a slot ended. */
  onRecorded(outcome: SlotOutcome): void
  /** Brings the index up to date about one container. */
  refresh(id: string): Promise<void>
  /** Has the index brought up to date about one container soon. */
  touch(id: string): void
}

/** One slot on its way through a worker. */
export interface Slot extends JobPayload {
  /** It was taken before, by this worker or another: a part of it may have been done. */
  again: boolean
  /** Of this dock's claim to it; 0 where there is none. */
  epoch: number
  /** The topic from which it was taken. */
  from?: string
  /** What was sealed to this dock, while it acts. */
  secrets?: Secrets
}

/** A slot with or without what only this worker knows. */
export type Taken = JobPayload & Partial<Slot>

/** This dock cannot do it now and has done nothing: any other dock will do. */
export class NotHere extends Error {}

/** Under which identity a slot acts: a job that tries another one again finds what that one made. */
export const effectOf = ({ origin, jobId }: JobPayload): string => origin ?? jobId

/** What is put on a topic again: without what only this worker knows. */
export const payloadOf = ({ again: _1, epoch: _2, from: _3, secrets: _4, ...payload }: Taken): JobPayload => payload

/** What the action gets. */
export function actionContext(slot: Slot, signal: AbortSignal, context: RunContext): ActionContext {
  const { slot: number, numbered, owner, epoch, acceptedAt } = slot
  const job = { id: effectOf(slot), slot: number, numbered, owner, epoch, acceptedAt }
  return {
    docker: context.docker,
    dock: context.hostname,
    owners: context.owners,
    rules: capBy(context.policy)(slot.rules ?? context.defaultRules),
    ...(slot.view && { view: slot.view }),
    ...(slot.secrets && { secrets: slot.secrets }),
    signal,
    job,
    docks: context.fleet.docks,
    pullOnce: (reference, ending, pull) =>
      context.pullOnce(reference, ending, pull, (progress) => context.tell(slot, { event: 'pull', data: progress })),
  }
}

/** Gives what throws `job_expired` once the slot may not be begun any more. */
export const untilDeadline = (slot: Slot, context: Pick<RunContext, 'now'>) => (): void => {
  if (context.now() > deadlineOf(slot)) throw expired(slot, slot.again)
}

/** `register` and `unregister` are the fleet's business alone. */
export const needsDaemon = (action: Action): boolean => action.target !== 'cluster' || action.creates === true
