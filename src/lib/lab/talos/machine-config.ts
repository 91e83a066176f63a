/** Reading of Talos machine configurations (several YAML documents, Talos 1.12). */
import { parseAllDocuments } from 'yaml'
import { ConfigError } from '../../errors.ts'
import type { MachineConfig } from '../types.ts'

type Fields = { [key: string]: unknown }

/**
 * Reads a machine configuration that Talos accepts; validation.ts is what refuses others with Talos's words.
 * @param source the YAML as applied
 * @throws ConfigError with every missing field, when it lacks what the lab needs
 */
export function parseMachineConfig(source: string): MachineConfig {
  const documents = readDocuments(source)
  const main = documents.find((document) => document.kind === undefined)
  const missing: string[] = []
  const need = (path: string): string => {
    const value = main && valueAt(main, path)
    if (typeof value === 'string' && value !== '') return value
    missing.push(path)
    return ''
  }
  const ca = (path: string): { crt: string; key?: string } => keyPair(main && valueAt(main, path)) ?? missed(path)
  const missed = (path: string) => {
    missing.push(path)
    return { crt: '' }
  }
  const type = need('machine.type')
  const role = type === 'worker' ? 'worker' : 'controlplane'
  const kubelet = need('machine.kubelet.image')
  const aggregator = keyPair(main && valueAt(main, 'cluster.aggregatorCA'))
  const etcd = keyPair(main && valueAt(main, 'cluster.etcd.ca'))
  const serviceAccountKey = decoded(main && valueAt(main, 'cluster.serviceAccount.key'))
  const secretbox = main && valueAt(main, 'cluster.secretboxEncryptionSecret')
  const vip = vipOf(documents)
  const config: MachineConfig = {
    source,
    hostname: hostnameOf(documents),
    role,
    installImage: need('machine.install.image'),
    kubernetesVersion: kubelet.slice(kubelet.lastIndexOf(':') + 1),
    clusterName: need('cluster.clusterName'),
    endpoint: need('cluster.controlPlane.endpoint'),
    ...(vip === undefined ? {} : { vip }),
    podSubnets: strings(main && valueAt(main, 'cluster.network.podSubnets'), ['10.244.0.0/16']),
    serviceSubnets: strings(main && valueAt(main, 'cluster.network.serviceSubnets'), ['10.96.0.0/12']),
    ca: {
      talos: ca('machine.ca'),
      kubernetes: ca('cluster.ca'),
      ...(aggregator ? { aggregator } : {}),
      ...(etcd ? { etcd } : {}),
    },
    ...(serviceAccountKey === undefined ? {} : { serviceAccountKey }),
    ...(typeof secretbox === 'string' ? { secretboxEncryptionSecret: secretbox } : {}),
    document: main ?? {},
  }
  if (missing.length > 0) throw new ConfigError(`the machine config lacks ${missing.join(', ')}`)
  return config
}

/**
 * All documents as plain objects, empty ones left out.
 * @throws ConfigError when it isn't YAML
 */
export function readDocuments(source: string): Fields[] {
  const documents: Fields[] = []
  for (const document of parseAllDocuments(source)) {
    const problem = document.errors[0]
    if (problem) throw new ConfigError(`the machine config is not YAML: ${problem.message}`)
    const value: unknown = document.toJS()
    if (typeof value === 'object' && value !== null) documents.push(value as Fields)
  }
  return documents
}

/** A field by its dotted path. */
export function valueAt(fields: Fields, path: string): unknown {
  let value: unknown = fields
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Fields)[key]
  }
  return value
}

/** HostnameConfig (1.12) or machine.network.hostname; Talos makes one up when there is neither. */
function hostnameOf(documents: Fields[]): string {
  const named = documents.find((document) => document.kind === 'HostnameConfig')?.hostname
  if (typeof named === 'string' && named !== '') return named.split('.')[0] ?? named
  const main = documents.find((document) => document.kind === undefined)
  const legacy = main && valueAt(main, 'machine.network.hostname')
  return typeof legacy === 'string' && legacy !== '' ? (legacy.split('.')[0] ?? legacy) : 'talos'
}

/** Layer2VIPConfig (1.12, its name is the address) or `vip.ip` of an interface or of a VLAN on it. */
function vipOf(documents: Fields[]): string | undefined {
  const named = documents.find((document) => document.kind === 'Layer2VIPConfig')?.name
  if (typeof named === 'string') return named
  const main = documents.find((document) => document.kind === undefined)
  for (const device of list(main && valueAt(main, 'machine.network.interfaces'))) {
    for (const link of [device, ...list(device.vlans)]) {
      const ip = valueAt(link, 'vip.ip')
      if (typeof ip === 'string') return ip
    }
  }
  return undefined
}

function keyPair(value: unknown): { crt: string; key?: string } | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const crt = decoded((value as Fields).crt)
  const key = decoded((value as Fields).key)
  if (crt === undefined) return undefined
  return { crt, ...(key === undefined ? {} : { key }) }
}

function decoded(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? Buffer.from(value, 'base64').toString('utf8') : undefined
}

function strings(value: unknown, otherwise: string[]): string[] {
  return Array.isArray(value) && value.length > 0 ? value.map(String) : otherwise
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter((item): item is Fields => typeof item === 'object' && item !== null) : []
}
