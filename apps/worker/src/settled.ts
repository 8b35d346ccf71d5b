import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { readKept, writeKept } from '@deblox/fleet/signing/kept-file'
import type { Logger } from 'pino'

/** The file is written anew when it has so many lines that tell nothing any more, and as many as the others. */
const wasteBefore = 1_000

/**
 * The containers whose creates were written down as done here. Nobody else is given their slots any more: whatever Redis says
 * later of who has claimed them, it is not for a dock to remove them on that account. Kept in a file of container ids.
 */
export class Settled {
  private readonly ids = new Set<string>()
  private lines = 0
  private unwritten: string[] = []
  private writing: Promise<void> = Promise.resolve()
  private handle: FileHandle | null = null
  private warned = false

  private constructor(
    private readonly file: string,
    private readonly log: Logger,
  ) {}

  /** What the state folder has of this host name. Throws in one line where it cannot be read. */
  static async open(folder: string, hostname: string, log: Logger): Promise<Settled> {
    const settled = new Settled(join(folder, `settled.${hostname}`), log)
    const kept = await readKept(settled.file, 'private').catch((error: Error) => {
      throw new Error(`DEBLOX_STATE_DIR: expected a folder that keeps what was made here, got: ${error.message}`, {
        cause: error,
      })
    })
    for (const line of (kept ?? '').split('\n')) settled.remember(line)
    return settled
  }

  has(id: string): boolean {
    return this.ids.has(id)
  }

  /** Returns at once; the file is written behind the work. */
  add(id: string): void {
    if (this.ids.has(id)) return
    this.remember(id)
    this.unwritten.push(`${id}\n`)
    if (this.unwritten.length === 1) this.writing = this.writing.then(() => this.write())
  }

  /** All that are kept, to be looked for. */
  all(): string[] {
    return [...this.ids]
  }

  /** Forgets containers that are gone. */
  forget(ids: readonly string[]): void {
    for (const id of ids) this.ids.delete(id)
  }

  /** Resolves when all that was added is in the file. */
  async close(): Promise<void> {
    await this.writing
    await this.handle?.close()
    this.handle = null
  }

  /** The last line may have been cut short by a crash. */
  private remember(line: string): void {
    if (!/^[0-9a-f]{64}$/.test(line)) return
    this.lines++
    this.ids.add(line)
  }

  private async write(): Promise<void> {
    const text = this.unwritten.splice(0).join('')
    try {
      // One that was cut short must not spoil the next.
      this.handle ??= await open(this.file, 'a', 0o600)
      await this.handle.appendFile(`\n${text}`)
      const waste = this.lines - this.ids.size
      if (waste > Math.max(wasteBefore, this.ids.size)) await this.compact()
    } catch (error) {
      // Jobs must not fail over a full disk.
      if (!this.warned) this.log.warn({ err: error }, 'DEBLOX_STATE_DIR: what was made here cannot be kept')
      this.warned = true
    }
  }

  private async compact(): Promise<void> {
    this.lines = this.ids.size
    await this.handle?.close()
    this.handle = null
    await writeKept(this.file, [...this.ids].map((id) => `${id}\n`).join(''), 'replace')
  }
}
