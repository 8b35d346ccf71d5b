import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeKept } from '@deblox/fleet/signing/kept-file'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * The UUID that tells this machine from another of its name: read from the folder, and made there the first time. One
 * file for each host name, since docks that are tried out on one machine share the folder.
 * Throws in one line where the folder cannot keep it.
 */
export async function readIdentity(folder: string, hostname: string): Promise<string> {
  const file = join(folder, `dock-id.${hostname}`)
  try {
    return await known(file).catch(unlessMissing)
  } catch (error) {
    const got = error instanceof Error ? error.message : String(error)
    throw new Error(`DEBLOX_STATE_DIR: expected a folder that keeps this dock's identity, got ${got}`, {
      cause: error,
    })
  }

  async function unlessMissing(error: NodeJS.ErrnoException): Promise<string> {
    if (error.code !== 'ENOENT') throw error
    // Where two do it at once, the first one's stays.
    await writeKept(file, `${randomUUID()}\n`, 'first')
    return known(file)
  }
}

async function known(file: string): Promise<string> {
  const id = (await readFile(file, 'utf8')).trim()
  // Not made anew: this machine's jobs would be taken for another's.
  if (!uuid.test(id)) throw new Error(`something else than a UUID in ${file}`)
  return id
}
