// What a container must change for itself before an engine can run in it. Docker mounts its cgroups and /proc/sys
// read-only unless it is privileged; with SYS_ADMIN it may make them writable, and then needs neither `privileged` nor
// the host's cgroups: whatever runs in a dock stays below the dock's own cgroup and its limits.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

const cgroups = '/sys/fs/cgroup'

/** Calls `warn` with a sentence for each thing that this container may not do. */
export function prepareForEngine(warn) {
  for (const point of ['/proc/sys', ...mountPointsBelow(cgroups)]) {
    const mount = spawnSync('mount', ['-o', 'remount,bind,rw', point], { encoding: 'utf8' })
    if (mount.status !== 0) warn(`${point} stays read-only (is SYS_ADMIN in cap_add?): ${mount.stderr.trim()}`)
  }
  if (existsSync(`${cgroups}/cgroup.controllers`)) delegateControllers(warn)
  removeLeftovers()
}

function mountPointsBelow(folder) {
  const points = readFileSync('/proc/self/mountinfo', 'utf8').trimEnd().split('\n')
  return points.map((line) => line.split(' ')[4]).filter((point) => point === folder || point.startsWith(`${folder}/`))
}

/** cgroup v2 hands a group's controllers to its children only while no process is in the group itself: ours move aside. */
function delegateControllers(warn) {
  mkdirSync(`${cgroups}/init`, { recursive: true })
  for (const pid of wordsIn(`${cgroups}/cgroup.procs`)) write(`${cgroups}/init/cgroup.procs`, pid, warn)
  for (const controller of wordsIn(`${cgroups}/cgroup.controllers`)) {
    write(`${cgroups}/cgroup.subtree_control`, `+${controller}`, warn)
  }
}

const wordsIn = (file) => readFileSync(file, 'utf8').split(/\s+/).filter(Boolean)

function write(file, text, warn) {
  try {
    writeFileSync(file, text)
  } catch (error) {
    warn(`${file} does not take ${text}: ${error.message}`)
  }
}

/** Sockets and process ids of an engine that was killed here. The container has just started, so they are nobody's. */
function removeLeftovers() {
  for (const path of ['docker', 'docker.pid', 'docker.sock', 'containerd']) {
    rmSync(`/var/run/${path}`, { recursive: true, force: true })
  }
}
