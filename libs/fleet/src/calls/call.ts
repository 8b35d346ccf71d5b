import type { Given, View } from '@deblox/actions/access/decide'
import type { Identity } from '@deblox/actions/access/identity'

/** What an API replica asks of one dock. */
export interface Asked {
  /** The host name of the dock. */
  dock: string
  /** An action that only reads, or a name of `callKinds`. */
  kind: string
  params: object
  identity: Identity
  /** What the caller's right rests on: the dock looks whether it is so. */
  given: Given
  /** Whose containers a list shows; all where it is absent. */
  view?: View
  /** How many bytes the dock may have under way, where that is to be fewer than usual. */
  window?: number
  /** Aborts when nobody listens any more: the dock closes what it has opened for the call. */
  signal: AbortSignal
  /** The dock must have begun to answer by then, in milliseconds from now. */
  withinMs: number
}

/** Where bytes belong: 0 whatever has one stream only (a terminal, an archive, JSON), 1 standard output, 2 standard error. */
export type Channel = 0 | 1 | 2

export interface Piece {
  channel: Channel
  bytes: Buffer
}

/** A call that its dock has begun to answer, as the API replica sees it. */
export interface Call {
  /** What the dock told with its beginning. */
  readonly head: unknown
  /**
   * What it sends, in order. The dock may have a window of bytes under way and no more: it waits until this is read.
   * To be read once. Throws `stream_broken`, `dock_unreachable`, or how the call failed on the dock.
   */
  readonly output: AsyncIterable<Piece>
  /** What the dock told with its end. Rejects as `output` throws. Nobody has to wait for it. */
  readonly ended: Promise<unknown>
  /** Sends input; resolves when the dock has room for more. */
  write(bytes: Buffer): Promise<void>
  /** No more input will come. */
  endInput(): Promise<void>
  /** Tells the dock something beside the input, such as the size of a terminal. */
  tell(message: object): Promise<void>
  /** Ends the call from here, as its signal does. */
  cancel(): void
}

export interface Calls {
  /**
   * Opens a call; resolves when its dock has begun to answer. Throws `dock_unreachable` at once where no worker holds the dock's
   * lease, `call_timeout`, `redis_unavailable`, and whatever the dock refuses it with.
   */
  open(asked: Asked): Promise<Call>
  /** Opens a call whose end is all that is wanted, and gives that. What it sends beside is put together as JSON. */
  ask(asked: Asked): Promise<unknown>
  /** Ends all calls and takes no more. */
  close(): void
}

/** A call on its dock, as what answers it sees it. */
export interface Answering {
  readonly kind: string
  readonly params: object
  readonly identity: Identity
  readonly given: Given
  readonly view?: View
  /** Aborts when the caller has left, his replica has died, or the worker stops: all that was opened for the call is closed then. */
  readonly signal: AbortSignal
  /** What the caller sends, in order; he waits while it is not read. */
  readonly input: AsyncIterable<Buffer>
  /** Says that the answer begins. Before it nothing can be sent; without it the first piece or the end says so. */
  begin(head?: unknown): Promise<void>
  /** Sends a piece, cut into frames; resolves when there is room for more. Rejects when the call has ended. */
  send(channel: Channel, bytes: Buffer): Promise<void>
  /** How many bytes the caller can take now without waiting: 0 or less while he is slow. */
  readonly room: number
  /** Calls back for each message that the caller sends beside the input. */
  onTold(listener: (message: unknown) => void): void
}

/** Answers one kind of call. What it resolves to is the call's end; what it throws is how it failed. */
export type Answerer = (call: Answering) => Promise<unknown>
