/** Sessions with routers: how long each side waits is decided here, not by what a default happens to be. */
import { dig, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { about, each, type Rule } from './rule.ts'
import { ofKind, type RenderedObject } from './view.ts'

export const bgpRules: Rule[] = [
  {
    id: 'bgp-timers-stated',
    demands:
      'A BGP session states its timers, of which the hold time is at least three keepalives, and whether routes outlive a restart',
    why: 'Cilium’s own hold time is 90 s: that long a router sends traffic to a node that is gone',
    fix: 'timers: {connectRetryTimeSeconds: 10, holdTimeSeconds: 30, keepAliveTimeSeconds: 10}, gracefulRestart: {enabled: true, restartTimeSeconds: 120}',
    source: 'FR25, RFC 4271',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'CiliumBGPPeerConfig')
        .filter(({ release }) => !release)
        .flatMap(unstated),
    ),
  },
]

function unstated(one: RenderedObject): Finding[] {
  const [hold, alive] = ['hold', 'keepAlive'].map((word) =>
    Number(textAt(one.object(), `spec.timers.${word}TimeSeconds`)),
  )
  const lacking = ['timers.connectRetryTimeSeconds', 'timers.holdTimeSeconds', 'timers.keepAliveTimeSeconds']
  if (dig(one.object(), 'spec.gracefulRestart.enabled') === true) lacking.push('gracefulRestart.restartTimeSeconds')
  else lacking.push('gracefulRestart.enabled')
  return [
    ...lacking
      .filter((key) => dig(one.object(), `spec.${key}`) === undefined)
      .map((key) => about(one, `${key} is unset`, ['spec', ...key.split('.')])),
    ...(hold !== undefined && alive !== undefined && hold < 3 * alive
      ? [about(one, `holds for ${hold} s, less than three keepalives of ${alive} s`, ['spec', 'timers'])]
      : []),
  ]
}
