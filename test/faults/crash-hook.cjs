// Loaded into a worker by `node --require`: ends it at a crash point that the campaign arms while the worker runs.
const { readFileSync, renameSync, writeFileSync } = require('node:fs')

const { FAULTS_CRASH_FILE: file, FAULTS_CLOCK_FILE: clock } = process.env
let hits = 0

globalThis.debloxCrashPoint = (point, job) => {
  const armed = read()
  if (armed === undefined || armed.point !== point) return
  if (++hits < armed.hit) return
  // The marker is there before the process is not: by it the campaign knows that this is how the worker ended.
  writeFileSync(`${file}.new`, JSON.stringify({ point, job, pid: process.pid }))
  renameSync(`${file}.new`, `${file}.fired`)
  process.kill(process.pid, 'SIGKILL')
}

/** What is armed: the name of a point, and at which hit of it to end. */
function read() {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // Not armed.
    return undefined
  }
}

// What this process believes the time to be, as a proof that its clock was moved.
if (clock) setInterval(() => writeFileSync(clock, String(Date.now())), 500).unref()
