import type { Role } from './policies'

/** Who asks: what an authority says of him, and nothing that he says himself. */
export interface Identity {
  /** The name under which he owns things: visible ASCII, at most 128 characters, and not beginning with `team:`. */
  subject: string
  /** Names of his teams, without `team:`. */
  teams: readonly string[]
  role: Role
  /** What he may use of his role's rights, where his token was limited; permissions of the table. */
  scopes?: readonly string[]
}

/** An owner is a subject, or a team as `team:<name>`. */
export const teamOwner = (team: string): string => `team:${team}`

/** The owners whose things are his. */
export const ownersOf = ({ subject, teams }: Identity): string[] => [subject, ...teams.map(teamOwner)]
