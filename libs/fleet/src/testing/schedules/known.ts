import type { Step, StepKind } from './steps'

/** Schedules too long to be met by chance each time. They were found once, over millions of others. */
export const known = {
  /** The claimant's topic still keeps a finished copy: the slot was handed on to it, and by it, before. */
  handedOnTwice: schedule(
    'leaseRunsOut 0 0, takeFromCluster 0 0, silence 0 4, recover 0 0, takeFromCluster 0 0, work 0 0, recover 0 0,' +
      'work 0 3, workOne 0 1, silence 0 0, takeFromCluster 0 0, work 0 2, recover 0 0, work 0 0, takeFromOwn 0 0,' +
      'work 0 1, silence 1 0, takeFromCluster 0 0, work 0 3, kill 0 0',
  ),
  /**
   * A create is carried out late, after its dock has returned. The reaper there decides to remove what it made; then the
   * other dock dies, this one is given the slot again and meets that container, and only then is the removal sent.
   */
  adoptedUnderRemoval: schedule(
    'takeFromCluster 0 0, workOne 0 2, silence 0 2, takeFromCluster 1 0, workOne 1 2, workOne 1 0, recover 0 0,' +
      'execute 0 0, look 0 0, look 0 0, look 0 0, look 0 0, look 0 0, silence 1 0, work 0 6, work 0 6, look 0 0',
  ),
  /** The reaper has decided to remove what was made under a claim that was given up; then the same dock has the slot again. */
  givenUpAndHadAgain: schedule(
    'takeFromCluster 0 0, silence 0 0, takeFromCluster 0 0, work 0 2, silence 0 0, executeAndFail 0 0, recover 0 0,' +
      'recover 0 0, kill 0 0, look 0 0, takeFromCluster 0 0, work 0 0, work 0 0, handBack 0 0, look 0 0, look 0 0, look 0 0,' +
      'takeFromCluster 0 0, look 0 0, look 0 0, work 0 0, work 0 5',
  ),
  /** The claim under which an outcome was reached was given up by another run, which had no copy left to give back. */
  refusedWithTheLastCopy: schedule(
    'takeFromCluster 1 0, work 0 0, silence 0 0, takeFromCluster 0 0, work 0 1, silence 0 1, recover 1 0, thaw 0 0,' +
      'takeFromCluster 0 0, work 1 0, work 0 2, recover 0 0, work 0 2, handBack 0 0',
  ),
  /** What has the name by now is not what was made under it. */
  nameTakenByAnother: schedule('takeFromCluster 0 0, work 0 5, removeBehind 0 0, takeName 0 9, work 0 0, rollBack 0 0'),
  /**
   * A worker that was frozen records what it had made when its successor beside the same daemon has begun the slot under the
   * same claim. Then somebody deletes that container, and the successor makes and starts another one.
   */
  endedUnderSuccessor: schedule(
    'takeFromCluster 0 0, workOne 0 10, work 0 0, work 0 0, work 0 0, silence 0 10, start 0 0, comeBack 0 0,' +
      'takeFromCluster 0 0, thaw 0 0, workOne 0 3, work 0 1, removeBehind 0 0',
  ),
  /** A worker that was frozen gives its claim up when its successor beside the same daemon has ended the slot under it. */
  givenUpAfterTheEnd: schedule(
    'takeFromCluster 0 0, work 0 0, silence 0 1, start 0 0, comeBack 0 0, takeFromCluster 0 0, work 0 4, thaw 0 0,' +
      'work 0 0, workOne 0 3, handBack 0 0',
  ),
}

/** The steps of a trace: kind, dock, which. */
function schedule(text: string): Step[] {
  return text.split(',').map((step) => {
    const [kind, dock, which] = step.trim().split(' ')
    return { kind: kind as StepKind, dock: Number(dock), which: Number(which) }
  })
}
