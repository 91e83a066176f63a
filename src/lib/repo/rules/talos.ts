/** Patches of machines, and what of talconfig.yaml no fact of a cluster decides. */
import { isIP } from 'node:net'
import { dig, isFields, leaves, listAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { checkSchema } from '../schema-tables.ts'
import type { SourceFile } from '../source-files.ts'
import { aboutRelease, type Rule } from './rule.ts'
import type { RepositoryView } from './view.ts'

export const talosRules: Rule[] = [
  {
    id: 'talos-patch-valid',
    demands: 'A patch under talos/patches has the fields and types of a machine configuration',
    why: 'Talos refuses the whole configuration, on the machine, while it is being applied',
    fix: 'talosctl validate; https://docs.siderolabs.com/talos/v1.12/reference/configuration',
    source: 'Talos 1.12',
    scope: 'any',
    looksAt: 'itself',
    check: ({ judged, schemas }) => {
      const table = schemas.get('talos')
      const root = table?.roots['config/v1alpha1']
      if (!table || root === undefined) return []
      return judged
        .filter(({ path }) => /^talos\/patches\/.*\.yaml$/.test(path))
        .flatMap((file) =>
          file
            .documents()
            .filter((document) => !isFields(document) || document.apiVersion === undefined)
            .flatMap((document) => [
              ...checkSchema(table, root, withoutDeletions(document)).map(({ path, message }) => ({
                file: file.path,
                path,
                message,
              })),
              ...listAt(document, 'machine.files').flatMap((one, index) =>
                halfFile(one).map((message) => ({ file: file.path, path: ['machine', 'files', index], message })),
              ),
            ]),
        )
    },
  },
  {
    id: 'talconfig-values',
    demands:
      'In talconfig.yaml routes are networks, gateways addresses, disks of a type that there is, numbers numbers, and a bond has two ports',
    why: 'talhelper takes any text; the machine comes up without a network, or not at all',
    fix: 'Correct the value',
    source: 'Talos 1.12',
    scope: 'any',
    looksAt: 'itself',
    check: ({ judged }) =>
      judged.filter(({ path }) => /^talos\/[^/]+\/talconfig\.yaml$/.test(path)).flatMap(wrongValues),
  },
  {
    id: 'volume-is-mounted',
    demands: 'A directory below /var/mnt that a release keeps data in is a user volume of each node',
    why: 'Talos mounts user volumes there; any other directory is on the disk of the system, or read-only',
    fix: 'userVolumes in talconfig.yaml, or the path in the values',
    source: 'Talos 1.12',
    scope: 'any',
    check: unmounted,
  },
]

/** Talos writes a file with no permissions at all where none are given. */
const halfFile = (one: unknown): string[] =>
  ['path', 'permissions', 'op', 'content']
    .filter((key) => textAt(one, key) === undefined)
    .map((key) => `a file without ${key}`)

/** `$patch: delete` (or `$$patch`, before talhelper substitutes) stands in the place of anything. */
function withoutDeletions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDeletions)
  if (!isFields(value)) return value
  const kept = Object.entries(value).filter(
    ([, below]) => !(isFields(below) && ('$patch' in below || '$$patch' in below)),
  )
  return Object.fromEntries(kept.map(([key, below]) => [key, withoutDeletions(below)]))
}

const isNetwork = (text: string): boolean => {
  const [address = '', bits = '', ...rest] = text.split('/')
  return rest.length === 0 && isIP(address) !== 0 && /^\d{1,3}$/.test(bits)
}

/** What talhelper would read as another type, or not at all. */
const counts = new Set(['mtu', 'vlanId', 'miimon', 'updelay', 'downdelay', 'metric', 'routeMetric'])
const switches = new Set(['dhcp', 'controlPlane', 'allowSchedulingOnControlPlanes', 'grow', 'ignoreHostname'])

function wrongValues(file: SourceFile): Finding[] {
  return file.documents().flatMap((document) => [
    ...leaves(document).flatMap(({ path, value }): Finding[] => {
      const text = String(value)
      const says = (message: string): Finding[] => [{ file: file.path, path, message: `${path.join('.')}: ${message}` }]
      const key = path.at(-1)
      if (key === 'network' && path.at(-3) === 'routes' && !isNetwork(text)) return says(`${text} is no network`)
      if (key === 'gateway' && isIP(text) === 0) return says(`${text} is no address`)
      if (counts.has(String(key)) && !Number.isInteger(value)) return says(`${text} is no number`)
      if (switches.has(String(key)) && typeof value !== 'boolean') return says(`${text} is neither true nor false`)
      if (path.at(-2) === 'patches' && !/^@|\n|[:{]/.test(text)) return says(`${text} is no patch`)
      if (path.at(-2) === 'addresses' && !isNetwork(text)) return says(`${text} is no address with its prefix`)
      if (key === 'type' && path.at(-2) === 'installDiskSelector' && !/^(ssd|hdd|nvme|sd)$/i.test(text))
        return says(`${text} is no type of disk`)
      return []
    }),
    ...listAt(document, 'nodes').flatMap((node, index) =>
      listAt(node, 'networkInterfaces').flatMap((device, at): Finding[] => {
        const bond = dig(device, 'bond')
        const ports = [...listAt(bond, 'deviceSelectors'), ...listAt(bond, 'interfaces')]
        if (bond === undefined || ports.length > 1) return []
        const path = ['nodes', index, 'networkInterfaces', at, 'bond']
        return [{ file: file.path, path, message: `${textAt(node, 'hostname')}: a bond of ${ports.length} ports` }]
      }),
    ),
  ])
}

function unmounted({ files, clusters }: RepositoryView): Finding[] {
  return clusters.flatMap((cluster) => {
    const talconfig = files.find(({ path }) => path === `talos/${cluster.name}/talconfig.yaml`)
    if (!talconfig) return []
    const volumes = new Set(
      leaves(talconfig.documents())
        .filter(({ path }) => path.at(-3) === 'userVolumes' && path.at(-1) === 'name')
        .map(({ value }) => String(value)),
    )
    return cluster.releases.flatMap(({ release }) =>
      leaves(release.values).flatMap(({ path, value }) => {
        const volume = /^\/var\/mnt\/([^/]+)/.exec(String(value))?.[1]
        if (volume === undefined || volumes.has(volume)) return []
        const message = `${value} is on no user volume of cluster ${cluster.name}`
        return [{ ...aboutRelease(release, message, ['spec', 'values', ...path]), cluster: cluster.name }]
      }),
    )
  })
}
