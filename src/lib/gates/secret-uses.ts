/** How pods use a Secret: as environment, which is read at start, or as files, which the kubelet renews. Pure. */
import { createHash } from 'node:crypto'
import type { KubeObject } from '../types.ts'

interface Container {
  name: string
  env?: { valueFrom?: { secretKeyRef?: { name?: string } } }[]
  envFrom?: { secretRef?: { name?: string } }[]
  volumeMounts?: { name: string; mountPath: string; subPath?: string; subPathExpr?: string }[]
}
interface Item {
  key: string
  path: string
}
interface Volume {
  name: string
  secret?: { secretName?: string; items?: Item[] }
  projected?: { sources?: { secret?: { name?: string; items?: Item[] } }[] }
}

/** Files of one container that are made from the Secret, with the digest (sha256, hex) that they should have. */
export interface SecretMount {
  container: string
  files: Record<string, string>
}

export const usesSecret = (pod: KubeObject, name: string): boolean => {
  const { containers, volumes } = partsOf(pod)
  return containers.some((one) => inEnvironment(one, name)) || volumes.some((one) => itemsOf(one, name) !== undefined)
}

/** Undefined where files do not tell: it is in the environment, mounted by `subPath` (never renewed), or only a volume that nobody mounts. */
export function mountsOf(pod: KubeObject, { metadata: { name }, data = {} }: KubeObject): SecretMount[] | undefined {
  const { containers, volumes } = partsOf(pod)
  if (containers.some((one) => inEnvironment(one, name))) return undefined
  const mounts: SecretMount[] = []
  for (const { name: container, volumeMounts = [] } of containers) {
    const files: Record<string, string> = {}
    for (const { name: volume, mountPath, subPath, subPathExpr } of volumeMounts) {
      const items = volumes.flatMap((one) => (one.name === volume ? (itemsOf(one, name) ?? []) : []))
      const isOurs = volumes.some((one) => one.name === volume && itemsOf(one, name) !== undefined)
      if (isOurs && (subPath || subPathExpr)) return undefined
      const all = items.length > 0 ? items : Object.keys(data).map((key) => ({ key, path: key }))
      if (isOurs)
        for (const { key, path } of all) {
          const value = data[key]
          if (value !== undefined) files[`${mountPath}/${path}`] = sha256(Buffer.from(value, 'base64'))
        }
    }
    if (Object.keys(files).length > 0) mounts.push({ container, files })
  }
  return mounts.length > 0 ? mounts : undefined
}

function partsOf({ spec }: KubeObject): { containers: Container[]; volumes: Volume[] } {
  const all = ['containers', 'initContainers'].flatMap((list) => (spec?.[list] ?? []) as Container[])
  return { containers: all, volumes: (spec?.volumes ?? []) as Volume[] }
}

const inEnvironment = ({ env = [], envFrom = [] }: Container, name: string): boolean =>
  env.some(({ valueFrom }) => valueFrom?.secretKeyRef?.name === name) ||
  envFrom.some(({ secretRef }) => secretRef?.name === name)

/** The keys that a volume takes from it, empty for all; undefined when it takes none. */
function itemsOf({ secret, projected }: Volume, name: string): Item[] | undefined {
  if (secret?.secretName === name) return secret.items ?? []
  const source = projected?.sources?.find((one) => one.secret?.name === name)
  return source && (source.secret?.items ?? [])
}

const sha256 = (value: Buffer): string => createHash('sha256').update(value).digest('hex')
