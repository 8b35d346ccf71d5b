// Preloaded into a worker: ends it, as kill -9 does, whenever it is about to carry out the job that DIE_OVER names.
globalThis.debloxCrashPoint = (point, job) => {
  if (point === 'before-act' && job === process.env.DIE_OVER) process.kill(process.pid, 'SIGKILL')
}
