import { folded, map, type Reader, text } from './readers'
import { type At, denied, malformed } from './refusal'
import { gives } from './rules'

/** How Deblox knows its own containers: nobody else writes these, under no profile. */
const reserved = 'deblox.'

/** Agents that run commands, or rule the engine, because of a label: their rights are the host's. */
const obeyed: readonly string[] = [
  'com.docker.',
  'io.docker.',
  'org.dockerproject.',
  'com.centurylinklabs.watchtower',
  'com.getarcaneapp.',
  'io.portainer.',
  'coolify.',
  'dockge.',
  'dokploy.',
  'komodo.',
  'docker-volume-backup.',
  'ofelia.',
  'chadburn.',
  'swarm.cronjob.',
  'io.kubernetes.',
  'annotation.io.kubernetes.',
  'io.podman.',
  'io.containers.',
  'io.balena.',
  'io.rancher.',
  'com.hashicorp.nomad.',
  'wud.',
  'autoheal',
  'deunhealth.',
  'sablier.',
]

/** Agents that send traffic, names, certificates or probes where a label says. */
const followed: readonly string[] = [
  'traefik.',
  'caddy',
  'com.github.nginx-proxy.',
  'com.github.jrcs.',
  'nginx-proxy.',
  'tsdproxy.',
  'swag',
  'fabio',
  'dnsdock.',
  'external-dns.',
  'co.elastic.',
  'com.datadoghq.',
  'prometheus.',
  'promtail.',
  'homepage.',
  'kuma.',
  'diun.',
]

/** Labels with their values as they are; agents read their names in any case. */
export const labels: Reader = map(text, (name, at) => {
  const plain = folded(name)
  const begins = (prefix: string): boolean => plain.startsWith(prefix)
  if (name === '') throw malformed(at, 'a label with a name', 'none')
  if (begins(reserved)) throw malformed(at, `a label that does not begin with "${reserved}", which is reserved`, 'one')
  if (!gives(at.rules, 'privileged') && obeyed.some(begins)) throw agents(at, name)
  if (!gives(at.rules, 'baseline') && followed.some(begins)) throw agents(at, name)
})

const agents = (at: At, name: string): Error => denied(at, 'no label that other agents of the host act upon', name)
