export { removeSuperseded as removeOutbid } from './reaper'
