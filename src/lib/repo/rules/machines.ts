/** Machines and what runs on them: one configuration agrees with the other, and machines of one cluster with each other. */

import { posix } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Json } from '../../types.ts'
import { keysOf } from '../chart-facts.ts'
import { dig, type Fields, isFields, leaves, listAt, mapAt, textAt } from '../fields.ts'
import { layout } from '../layout.ts'
import type { Finding } from '../locate.ts'
import { mergeValues } from '../releases.ts'
import type { SourceFile } from '../source-files.ts'
import type { Rule } from './rule.ts'
import { type ClusterView, ofKind } from './view.ts'

export const machineRules: Rule[] = [
  {
    id: 'machines-agree',
    demands: 'Machines are configured as the components need it that run on them: the message names which',
    why: 'Two that do the same fight for it, or each waits for what only the other could do',
    fix: 'The patch under talos/patches that had it, or another value of the component',
    source: 'Talos 1.12, design section 2',
    scope: 'house',
    check: ({ files, clusters }) => clusters.flatMap((cluster) => disagreements(cluster, files)),
  },
  {
    id: 'machines-alike',
    demands: 'Machines of a cluster have the same links, disks and switches, but for addresses of their own',
    why: 'They are of one build: what one of them lacks shows when it is the last one that is left',
    fix: 'The line that the other nodes have',
    source: 'design section 2',
    scope: 'house',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged.filter(({ path }) => /^talos\/[^/]+\/talconfig\.yaml$/.test(path)).flatMap(unlikeNodes),
  },
]

interface Need {
  chart: string
  /** A value of the chart that is true; without it the chart alone decides. */
  when?: string
  /** Dotted; a dot of the key itself has a backslash before it. */
  path: string
  /** What stands there, `$value` for that value of the chart, `>=` for the least number, or what the text or one of the list has (`~`). */
  is: string
}

const needs: Need[] = [
  { chart: 'cilium', path: 'cniConfig.name', is: 'none' },
  { chart: 'cilium', when: 'kubeProxyReplacement', path: 'cluster.proxy.disabled', is: 'true' },
  { chart: 'cilium', when: 'k8sServicePort', path: 'machine.features.kubePrism.enabled', is: 'true' },
  { chart: 'cilium', when: 'k8sServicePort', path: 'machine.features.kubePrism.port', is: '$k8sServicePort' },
  { chart: 'cilium', when: 'bpf.masquerade', path: 'machine.features.hostDNS.forwardKubeDNSToHost', is: 'false' },
  { chart: 'coredns', path: 'cluster.coreDNS.disabled', is: 'true' },
  { chart: 'kubelet-csr-approver', path: 'machine.kubelet.extraArgs.rotate-server-certificates', is: 'true' },
  ...(['controllerManager', 'scheduler'] as const).map((part) => ({
    chart: 'victoria-metrics-k8s-stack',
    when: part === 'scheduler' ? 'kubeScheduler.enabled' : 'kubeControllerManager.enabled',
    path: `cluster.${part}.extraArgs.bind-address`,
    is: '0.0.0.0',
  })),
  {
    chart: 'victoria-metrics-k8s-stack',
    when: 'kubeEtcd.enabled',
    path: 'cluster.etcd.extraArgs.listen-metrics-urls',
    is: 'http://0.0.0.0:$kubeEtcd.service.port',
  },
  // spegel.dev, getting started on Talos; layers come from many peers at once, and not from all.
  { chart: 'spegel', path: 'machine.files', is: '~discard_unpacked_layers = false' },
  { chart: 'spegel', path: 'machine.kubelet.extraConfig.serializeImagePulls', is: 'false' },
  { chart: 'spegel', path: 'machine.kubelet.extraConfig.maxParallelImagePulls', is: '>=2' },
  // Talos, Ceph-CSI: no container may load it (CAP_SYS_MODULE); ceph.spec, 90-ceph-osd.conf.
  { chart: 'rook-ceph', path: 'machine.kernel.modules', is: '~nbd' },
  { chart: 'rook-ceph-cluster', path: 'machine.sysctls.fs\\.aio-max-nr', is: '>=1048576' },
  // docs.cilium.io, Bandwidth Manager; large packets on a path that may not carry them.
  { chart: 'cilium', when: 'bandwidthManager.bbr', path: 'machine.sysctls.net\\.core\\.default_qdisc', is: 'fq' },
  {
    chart: 'cilium',
    when: 'bandwidthManager.bbr',
    path: 'machine.sysctls.net\\.ipv4\\.tcp_congestion_control',
    is: 'bbr',
  },
  { chart: 'cilium', when: 'MTU', path: 'machine.sysctls.net\\.ipv4\\.tcp_mtu_probing', is: '1' },
  // Each log that is followed takes a watch; the kernel's 128 instances are for a desktop.
  ...['instances', 'watches'].map((word) => ({
    chart: 'fluent-bit',
    path: `machine.sysctls.fs\\.inotify\\.max_user_${word}`,
    is: word === 'instances' ? '>=8192' : '>=524288',
  })),
  // github.com/quic-go/quic-go/wiki/UDP-Buffer-Sizes: what the tunnel asks for.
  ...['rmem', 'wmem'].map((word) => ({
    chart: 'cloudflared',
    path: `machine.sysctls.net\\.core\\.${word}_max`,
    is: '>=7500000',
  })),
]

function disagreements(cluster: ClusterView, files: readonly SourceFile[]): Finding[] {
  const file = files.find(({ path }) => path === layout.talconfig(cluster.name))
  const talconfig = file?.documents()[0]
  if (!file || !isFields(talconfig)) return []
  const machine = mergedPatches(talconfig, file, files)
  const running = [
    ...cluster.releases.map(({ release, facts }) => ({
      chart: release.chartName,
      who: `HelmRelease ${release.namespace}/${release.name}`,
      values: mergeValues(facts?.defaults ?? {}, release.values),
    })),
    ...ofKind(cluster, 'Deployment', 'DaemonSet')
      .filter(({ release }) => !release)
      .map((one) => ({ chart: one.name, who: `${one.kind} ${one.namespace}/${one.name}`, values: {} })),
  ]
  return running.flatMap(({ chart: part, who, values }) =>
    needs
      .filter(({ chart, when }) => chart === part && (when === undefined || Boolean(dig(values, when))))
      .flatMap(({ path, is }) => {
        const wanted = is.replace(/\$([\w.]+)/, (_, key: string) => textAt(values, key) ?? '')
        const found = dig(machine, keysOf(path))
        if (meets(found, wanted)) return []
        const told = isFields(found) || Array.isArray(found) ? 'something else' : (found ?? 'unset')
        const message = `${path.replaceAll('\\', '')} is ${told}, and ${who} needs ${wanted.replace(/^~/, '')}`
        return [{ file: file.path, line: 1, message, cluster: cluster.name }]
      }),
  )
}

function meets(found: Json | undefined, wanted: string): boolean {
  if (wanted.startsWith('>=')) return Number(found) >= Number(wanted.slice(2))
  if (wanted.startsWith('~')) return leaves(found ?? null).some(({ value }) => String(value).includes(wanted.slice(1)))
  return String(found) === wanted
}

/** What talconfig.yaml says itself, and the patches of all of its machines, as if they were one. */
function mergedPatches(talconfig: Fields, { path }: SourceFile, files: readonly SourceFile[]): Fields {
  const patches = [talconfig, talconfig.controlPlane, talconfig.worker].flatMap((part) => listAt(part, 'patches'))
  const documents = patches.flatMap((patch): unknown[] => {
    const text = String(patch)
    if (!text.startsWith('@')) return parseAllDocuments(text, { logLevel: 'silent' }).map((one) => one.toJS())
    const named = posix.normalize(posix.join(posix.dirname(path), text.slice(1)))
    return files.find((one) => one.path === named)?.documents() ?? []
  })
  return documents.filter(isFields).reduce(patched, talconfig)
}

/** As Talos merges patches: lists grow. */
function patched(base: Fields, over: Fields): Fields {
  const all = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const before = all[key]
    if (Array.isArray(before) && Array.isArray(value)) all[key] = [...before, ...value]
    else all[key] = isFields(before) && isFields(value) ? patched(before, value) : value
  }
  return all
}

/** Of one machine alone. */
const ofItsOwn = /^(addresses|permanentAddr|hardwareAddr|busPath|ip|network|gateway)$/

function unlikeNodes(file: SourceFile): Finding[] {
  const nodes = file.documents().flatMap((document) => listAt(document, 'nodes'))
  const shapes = nodes.map((node) => {
    const { networkInterfaces, installDiskSelector, installDisk } = mapAt({ node }, 'node')
    const told = leaves({ networkInterfaces, installDiskSelector, installDisk } as Fields)
      .filter(({ path }) => !path.includes('vip') && !path.some((key) => ofItsOwn.test(String(key))))
      .map(({ path, value }) => `${path.join('.')}: ${value}`)
    return new Set(told)
  })
  const counts = new Map<string, number>()
  for (const shape of shapes) for (const one of shape) counts.set(one, (counts.get(one) ?? 0) + 1)
  const usual = [...counts].filter(([, count]) => count > nodes.length / 2).map(([one]) => one)
  return nodes.flatMap((node, index) =>
    usual
      .filter((one) => !shapes[index]?.has(one))
      .map((one) => ({
        file: file.path,
        path: ['nodes', index],
        message: `${textAt(node, 'hostname')} lacks ${one}, which the other nodes have`,
      })),
  )
}
