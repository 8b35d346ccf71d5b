import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stateFolder } from './run-folder'

/** The environment of a worker whose dock has this policy: a file of root's, which goes with the run. */
export function withPolicy(policy: object): { DEBLOX_DOCK_POLICY: string } {
  const text = JSON.stringify(policy)
  const name = createHash('sha256').update(text).digest('hex').slice(0, 12)
  const file = join(stateFolder(), `policy-${name}.json`)
  mkdirSync(stateFolder(), { recursive: true, mode: 0o755 })
  writeFileSync(file, text, { mode: 0o644 })
  return { DEBLOX_DOCK_POLICY: file }
}
