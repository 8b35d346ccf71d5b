/**
 * Why a program cannot run, where that was foreseen: a wrong variable, a Redis that would lose jobs, a port in use. It is told
 * in one line, without a stack; every other error is a fault of ours and shows where it comes from.
 */
export class StartError extends Error {
  override readonly name = 'StartError'
}
