import type { Route } from '../route'
import type { StreamDesk } from '../streams/opened'
import { archiveRoutes } from './archive'
import { execRoute } from './exec'
import { logRoute } from './logs'
import { mergedLogsRoute } from './merged-logs'
import { statsRoute } from './stats'
import { terminalRoutes } from './terminals'
import { waitRoute } from './wait'

/** All that a dock is asked while somebody listens. */
export const streamRoutes = (desk: StreamDesk): Route[] => [
  logRoute(desk),
  mergedLogsRoute(desk),
  statsRoute(desk),
  waitRoute(desk),
  execRoute(desk),
  ...terminalRoutes(desk),
  ...archiveRoutes(desk),
]
