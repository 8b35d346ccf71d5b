import { randomUUID } from 'node:crypto'
import { link, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Bits of a file's mode by which others than its owner may do something with it. */
const others = { write: 0o022, readOrWrite: 0o077 } as const

/**
 * The text of a file that a program keeps for itself; null where there is none. Throws where the group or the world could
 * have read it (`private`), or written it.
 */
export async function readKept(file: string, kind: 'private' | 'public'): Promise<string | null> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (!handle) return null
  try {
    const { mode } = await handle.stat()
    const forbidden = kind === 'private' ? others.readOrWrite : others.write
    if ((mode & forbidden) !== 0) {
      const octal = (mode & 0o777).toString(8)
      throw new Error(`${file} to be its owner's alone (chmod 600), got mode ${octal}`)
    }
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

/** Written whole, or not at all, and there after a crash. `first`: where there is one already, that one stays. */
export async function writeKept(file: string, text: string, how: 'first' | 'replace'): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const draft = `${file}.${randomUUID()}`
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (how === 'replace') return await rename(draft, file)
    await link(draft, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(draft, { force: true })
  }
}
