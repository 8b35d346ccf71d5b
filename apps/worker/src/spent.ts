import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SlotOutcome } from '@deblox/fleet/job'
import { writeKept } from '@deblox/fleet/signing/kept-file'
import type { Logger } from 'pino'

/** So many ended slots are remembered: what a dock can do in a day and an hour, at six a second. */
const maxSpent = 500_000

/** Of so many, the last ones, it is also remembered how they ended. */
const maxOutcomes = 1_000

/** An outcome that is longer is not remembered, in characters of JSON. */
const maxOutcome = 2_048

/** The file is written anew when it has so many lines that tell nothing any more, and as many as the others. */
const wasteBefore = 10_000

/** What may be forgotten within the same so many milliseconds is forgotten together. */
const togetherMs = 10 * 60_000

/** A line of the file: the slot's id, when it may be forgotten, how it ended. */
type Line = [id: string, until: number, outcome?: SlotOutcome]

/**
 * The slots that have ended here, until their jobs could not be begun any more: a job is carried out once, whatever Redis
 * says. They are written to a file behind the work, and without waiting for the disk: a worker that is killed loses what
 * ended in its last milliseconds, a machine that loses power the last seconds.
 */
export class Spent {
  private readonly until = new Map<string, number>()
  private readonly outcomes = new Map<string, SlotOutcome>()
  /** What may be forgotten together, by the end of that time. */
  private readonly together = new Map<number, string[]>()
  private lines = 0
  private unwritten: string[] = []
  private writing: Promise<void> = Promise.resolve()
  private handle: FileHandle | null = null
  private warned = false

  private constructor(
    private readonly file: string,
    private readonly now: () => number,
    private readonly log: Logger,
  ) {}

  /** What the state folder has of this host name. `now` is Redis's time, in milliseconds since 1970. */
  static async open(folder: string, hostname: string, now: () => number, log: Logger): Promise<Spent> {
    const spent = new Spent(join(folder, `spent.${hostname}`), now, log)
    try {
      await mkdir(folder, { recursive: true })
      await spent.load()
    } catch (error) {
      spent.warn(error)
    }
    return spent
  }

  has(id: string): boolean {
    return this.until.has(id)
  }

  /** How it ended, if that is remembered too. */
  outcome(id: string): SlotOutcome | undefined {
    return this.outcomes.get(id)
  }

  /** Remembers that a slot has ended, until that time. Returns at once. */
  add(id: string, until: number, outcome: SlotOutcome): void {
    this.forget()
    const line: Line = JSON.stringify(outcome).length > maxOutcome ? [id, until] : [id, until, outcome]
    this.remember(line)
    this.unwritten.push(`${JSON.stringify(line)}\n`)
    // What comes while one write is under way goes with the next one.
    if (this.unwritten.length === 1) this.writing = this.writing.then(() => this.write())
  }

  /** Resolves when all that was added is in the file. */
  async close(): Promise<void> {
    await this.writing
    await this.handle?.close()
    this.handle = null
  }

  private remember([id, until, outcome]: Line): void {
    this.lines++
    if (outcome) this.outcomes.set(id, outcome)
    if (!this.until.has(id)) {
      const end = Math.ceil(until / togetherMs) * togetherMs
      const others = this.together.get(end)
      if (others) others.push(id)
      else this.together.set(end, [id])
    }
    this.until.set(id, until)
    dropFirst(this.until, maxSpent)
    dropFirst(this.outcomes, maxOutcomes)
  }

  private forget(): void {
    const now = this.now()
    for (const [end, ids] of this.together) {
      if (end > now) continue
      this.together.delete(end)
      for (const id of ids) {
        this.until.delete(id)
        this.outcomes.delete(id)
      }
    }
  }

  /** Forgets nothing: Redis's time is not known yet, and this machine's may be wrong. */
  private async load(): Promise<void> {
    const text = await readFile(this.file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw error
    })
    for (const line of text.split('\n')) {
      const known = parse(line)
      if (known) this.remember(known)
    }
    // A line that was cut short must not spoil the next one.
    if (!text.endsWith('\n')) this.unwritten.push('\n')
    this.writing = this.write()
    await this.writing
  }

  private async write(): Promise<void> {
    const text = this.unwritten.splice(0).join('')
    try {
      this.handle ??= await open(this.file, 'a', 0o600)
      await this.handle.appendFile(text)
      const waste = this.lines - this.until.size
      if (waste > Math.max(wasteBefore, this.until.size)) await this.compact()
    } catch (error) {
      // Jobs must not fail over a full disk.
      this.warn(error)
    }
  }

  /** Writes the file anew, without what is forgotten. */
  private async compact(): Promise<void> {
    const text = [...this.until]
      .map(([id, until]) => `${JSON.stringify([id, until, this.outcomes.get(id)])}\n`)
      .join('')
    this.lines = this.until.size
    await this.handle?.close()
    this.handle = null
    await writeKept(this.file, text, 'replace')
  }

  private warn(error: unknown): void {
    if (this.warned) return
    this.warned = true
    this.log.warn(
      { err: error },
      'DEBLOX_STATE_DIR: what has been done here cannot be kept; it is forgotten at the end',
    )
  }
}

/** The line may have been cut short by a crash. */
function parse(text: string): Line | null {
  try {
    const line: unknown = JSON.parse(text)
    const isLine = Array.isArray(line) && typeof line[0] === 'string' && typeof line[1] === 'number'
    return isLine ? (line as Line) : null
  } catch {
    return null
  }
}

/** The first one in is the first one out. */
function dropFirst(map: Map<string, unknown>, max: number): void {
  for (const id of map.keys()) {
    if (map.size <= max) return
    map.delete(id)
  }
}
