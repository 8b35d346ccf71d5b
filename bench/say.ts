/** Tells how far it is. Standard output is for the figures alone. */
export function say(step: string): void {
  process.stderr.write(`bench: ${step} (after ${Math.round(performance.now() / 1000)} s)\n`)
}
