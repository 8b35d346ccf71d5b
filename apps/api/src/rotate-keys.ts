/**
 * Changes the keys with which the API signs, in their file: `node apps/api/dist/rotate-keys.js add`, then a restart of every
 * replica with that file, and a day later, when nothing signed by the old key may be begun any more, `drop` and a restart.
 */
import { join } from 'node:path'
import { addKey, dropOldKey } from '@deblox/fleet/signing/api-keys'
import { fingerprint } from '@deblox/fleet/signing/public-keys'
import { exitWith } from '@deblox/fleet/program'
import { StartError } from '@deblox/fleet/start-error'
import { readConfig } from './config'

const steps = { add: addKey, drop: dropOldKey }

function keysFile(): string {
  const { DEBLOX_SIGNING_KEYS, DEBLOX_STATE_DIR } = readConfig()
  return DEBLOX_SIGNING_KEYS ?? join(DEBLOX_STATE_DIR, 'api-keys.json')
}

async function rotate([step = '']: string[]): Promise<void> {
  if (step !== 'add' && step !== 'drop')
    throw new StartError(`rotate-keys: expected add or drop, got ${JSON.stringify(step)}`)
  const { set } = await steps[step](keysFile())
  process.stdout.write(`version ${set.version}: ${fingerprint(set)}; restart every replica of the API with this file\n`)
}

rotate(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => exitWith('rotate-keys', error),
)
