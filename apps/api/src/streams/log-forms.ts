import { StringDecoder } from 'node:string_decoder'
import type { JobError } from '@deblox/fleet/job'
import { formatEvent, sseHeaders, sseType } from './sse'
import { type Dropped, isDropped, type LogEvent, type Logged } from './log-lines'
import type { LogPosition } from './log-position'
import type { Form } from './speak'

/** The container that a line is from, where there are several. */
export interface Source {
  id: string
  name: string
  dock: string
}

/** How logs are written for whoever reads them. */
export interface LogForm extends Form {
  lines(events: readonly LogEvent[], source?: Source): Buffer | string
  /** That one of several containers cannot be read now. */
  away(failure: JobError, source: Source): string
  /** That there are so many containers more than are followed. */
  leftOut(containers: number): string
}

export const logTypes = ['text/plain', 'application/x-ndjson', sseType] as const

export type LogType = (typeof logTypes)[number]

export interface LogFormOptions {
  /** Whether text begins each line with its time; the other forms always tell it. */
  timestamps: boolean
  /** Where the stream was left off, so that its events can be numbered on; none where they have no numbers. */
  from?: LogPosition
}

export function logForm(type: LogType, options: LogFormOptions): LogForm {
  if (type === 'text/plain') return new TextForm(options.timestamps)
  return type === sseType ? new EventForm(options.from) : new JsonForm()
}

/** What was found of a failure that may be told. */
const told = ({ code, status, message }: JobError) => ({ code, status, message })

const newLine = Buffer.from('\n')

/** The bytes as they are. */
class TextForm implements LogForm {
  readonly headers = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Accel-Buffering': 'no' }
  readonly idle = ''
  /** Of which stream of which container a line has begun that has not ended. */
  private open: string | undefined

  constructor(private readonly timestamps: boolean) {}

  lines(events: readonly LogEvent[], source?: Source): Buffer {
    const chunks: Buffer[] = []
    for (const event of events) {
      if (isDropped(event)) chunks.push(...this.apart(dropped(event), source))
      else this.line(event, source, chunks)
    }
    return Buffer.concat(chunks)
  }

  away({ code, message }: JobError, source: Source): string {
    return Buffer.concat(this.apart(`${code}: ${message}`, source)).toString()
  }

  leftOut(containers: number): string {
    return Buffer.concat(this.apart(`${containers} more containers match, and are left out`, undefined)).toString()
  }

  failed(): string {
    return ''
  }

  ended(): string {
    return ''
  }

  private line({ stream, time, bytes, begins, ends, goesOn }: Logged, source: Source | undefined, to: Buffer[]): void {
    const key = source ? `${source.id} ${stream}` : stream
    if (this.open !== undefined && this.open !== key) to.push(newLine)
    if (begins || this.open !== key) {
      const head = prefix(source) + (this.timestamps && time !== null ? `${time} ` : '')
      if (head !== '') to.push(Buffer.from(head))
    }
    to.push(bytes)
    if (ends) to.push(newLine)
    this.open = ends ? undefined : key
    // Of several containers each has its own lines, also a last one without a break.
    if (source && !ends && !goesOn) this.open = `${source.id} no more`
  }

  private apart(words: string, source: Source | undefined): Buffer[] {
    const isOpen = this.open !== undefined
    this.open = undefined
    return [...(isOpen ? [newLine] : []), Buffer.from(`${prefix(source)}[Deblox: ${words}]\n`)]
  }
}

const prefix = (source: Source | undefined): string => (source ? `${source.name} | ` : '')

const dropped = ({ dropped: { lines, bytes } }: Dropped): string =>
  `${lines} lines (${bytes} bytes) are left out here, because they were not read in time`

/** Text of bytes that may be cut anywhere, also within a character. */
class Texts {
  private readonly decoders = new Map<string, StringDecoder>()

  of({ stream, bytes, begins, ends, goesOn }: Logged, source: Source | undefined): string {
    const text = begins && !goesOn ? bytes.toString() : this.decoded(`${source?.id ?? ''} ${stream}`, bytes, goesOn)
    // A terminal's lines end with both.
    return ends && text.endsWith('\r') ? text.slice(0, -1) : text
  }

  private decoded(key: string, bytes: Buffer, goesOn: boolean): string {
    const decoder = this.decoders.get(key) ?? new StringDecoder()
    if (goesOn) this.decoders.set(key, decoder)
    else this.decoders.delete(key)
    return decoder.write(bytes) + (goesOn ? '' : decoder.end())
  }
}

const lineOf = (texts: Texts, event: Logged, container: Source | undefined) => ({
  ...(container && { container }),
  time: event.time,
  stream: event.stream,
  line: texts.of(event, container),
  ...(event.goesOn && { partial: true }),
})

const from = (container: Source | undefined) => (container ? { container } : {})

/** One JSON document a line. */
class JsonForm implements LogForm {
  readonly headers = { 'Content-Type': 'application/x-ndjson', 'X-Accel-Buffering': 'no' }
  readonly idle = ''
  private readonly texts = new Texts()

  lines(events: readonly LogEvent[], source?: Source): string {
    return events
      .map((event) => (isDropped(event) ? { ...from(source), ...event } : lineOf(this.texts, event, source)))
      .map((document) => `${JSON.stringify(document)}\n`)
      .join('')
  }

  away(failure: JobError, container: Source): string {
    return `${JSON.stringify({ container, away: told(failure) })}\n`
  }

  leftOut(containers: number): string {
    return `${JSON.stringify({ leftOut: { containers } })}\n`
  }

  failed(failure: JobError): string {
    return `${JSON.stringify({ error: told(failure) })}\n`
  }

  ended(): string {
    return ''
  }
}

/** Server-sent events: lines have no name, so that `onmessage` gets them. */
class EventForm implements LogForm {
  readonly headers = sseHeaders
  readonly idle = ':\n\n'
  private readonly texts = new Texts()

  constructor(private readonly position: LogPosition | undefined) {}

  lines(events: readonly LogEvent[], source?: Source): string {
    return events.map((event) => (isDropped(event) ? this.dropped(event, source) : this.line(event, source))).join('')
  }

  away(failure: JobError, container: Source): string {
    return formatEvent({ event: 'away', data: { container, ...told(failure) } })
  }

  leftOut(containers: number): string {
    return formatEvent({ event: 'leftOut', data: { containers } })
  }

  failed(failure: JobError): string {
    return formatEvent({ event: 'error', data: told(failure) })
  }

  /** A browser would come back otherwise, and be sent all of it again. */
  ended(): string {
    return formatEvent({ event: 'end', data: {} })
  }

  private line(event: Logged, source: Source | undefined): string {
    const data = lineOf(this.texts, event, source)
    const id = this.position?.next(event)
    return formatEvent({ ...(id !== undefined && { id }), data })
  }

  private dropped({ dropped: data }: Dropped, source: Source | undefined): string {
    return formatEvent({ event: 'dropped', data: { ...from(source), ...data } })
  }
}
