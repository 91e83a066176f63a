/** cluster-settings.yaml of a new cluster, made from another one's. Pure. */
import type { Pair, Scalar, YAMLMap } from 'yaml'
import { moveAddresses } from './move-addresses.ts'
import { type NewCluster, named, vaultOf } from './new-cluster.ts'
import { toConfirm } from './new-talconfig.ts'
import { parseDocument } from './yaml.ts'

/** What each of these was is true of the old cluster only. */
const ofTheCluster: Record<string, string> = {
  CILIUM_ASN: 'free private ASN',
  SRX_ADDRESS: "the router's address in that VLAN",
  LB_POOL_CIDR: 'routed nowhere yet',
  CLOUDFLARE_TUNNEL_ID: "this cluster's tunnel; `cloudflared tunnel list`",
  NAS_SHARE: 'exported to the nodes',
  CEPH_DEVICE_PATH_FILTER: "matches Ceph's disks and neither the install nor the OpenEBS disk",
}

/** @param text of the other cluster's file */
export function newSettings(choice: NewCluster, text: string): string {
  const { name, from, moves, vlan, domain, id, asn, follows, unused, disks } = choice
  const document = parseDocument(moveAddresses(named(choice, text), moves))
  const data = document.get('data') as YAMLMap<Scalar, Scalar>
  const old = (key: string) => new RegExp(`\\b${String(data.get(key)).replaceAll('.', '\\.')}\\b`, 'g')
  const [oldDomain, oldVlan] = [old('CLUSTER_DOMAIN'), old('VLAN_ID')]
  const given: Record<string, string> = {
    CLUSTER_NAME: name,
    CLUSTER_ID: id,
    CLUSTER_DOMAIN: domain,
    VLAN_ID: vlan,
    CILIUM_ASN: asn,
    GIT_REF: `refs/heads/${follows}`,
    ONEPASSWORD_VAULT: vaultOf(name),
    CLOUDFLARE_TUNNEL_ID: `00000000-0000-4000-8000-${id.padStart(12, '0')}`,
    ...(disks?.ceph ? { CEPH_DEVICE_PATH_FILTER: disks.ceph } : {}),
  }
  const keyOf = (pair: Pair<Scalar, Scalar | null>) => String(pair.key.value)
  data.items.forEach((pair, index) => {
    const next = data.items[index + 1]
    // The blank line above a group stays, whichever of the group goes.
    if (unused.has(keyOf(pair)) && next && pair.key.spaceBefore) next.key.spaceBefore = true
  })
  data.items = data.items.filter((pair) => !unused.has(keyOf(pair)))
  for (const pair of data.items) {
    const [key, value] = [keyOf(pair), pair.value as Scalar<string>]
    const confirmed = key === 'CEPH_DEVICE_PATH_FILTER' && disks?.ceph !== undefined
    value.value = given[key] ?? (key === 'NAS_SHARE' ? value.value.replace(from, name) : value.value)
    value.comment = confirmed ? null : (value.comment?.replace(oldDomain, domain).replace(oldVlan, vlan) ?? null)
    const what = ofTheCluster[key] ?? (/_IP$/.test(key) && value.comment ? 'inside LB_POOL_CIDR' : undefined)
    if (what !== undefined && !confirmed) toConfirm(value, what)
  }
  return document.toString({ lineWidth: 0 })
}
