import { type Job, Worker } from 'bullmq'

/**
 * Takes jobs one after the other, so that they reach the processor in the order of their topic. BullMQ's own worker also
 * takes one whenever it reports that one has ended, and when such a take meets another, the later job may come first.
 */
export class InOrderWorker<Data, Result> extends Worker<Data, Result> {
  override processJob(job: Job<Data, Result>, token: string): ReturnType<Worker<Data, Result>['processJob']> {
    return super.processJob(job, token, () => false)
  }
}
