/** Shapes of the files that the CLI reads, checked with zod; what a file says wrong becomes a Problem with its line. */
import { z } from 'zod'
import { gates } from '../gates/catalog.ts'
import { isTimeZone, isWeekday } from '../gates/maintenance-window.ts'
import type { Problem } from '../types.ts'
import type { YamlFile, YamlPath } from './document.ts'

const clusterName = z.string().regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a lower-case DNS label')

const count = z.number().int().nonnegative()
const namespacedName = z.string().regex(/^[a-z0-9.-]+\/[a-z0-9.-]+$/, 'must be namespace/name')

/** Every number has to be written: a kind that is forgotten here would be a gate that passes over nothing. */
const gatesSchema = z.strictObject({
  ceph: z.strictObject({
    clusters: count,
    tolerate: z
      .array(z.string().regex(/^[A-Z][A-Z0-9_]*$/, 'must be a Ceph health check like OSDMAP_FLAGS'))
      .default([]),
  }),
  cnpg: z.strictObject({ clusters: count }),
  volsync: z.strictObject({ sources: count }),
  daemonsets: z.array(namespacedName).default([]),
  deployments: z.array(namespacedName).default([]),
})

const alertmanagerSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).refine((url) => new URL(url).password === '', 'must hold no password'),
  // One that fits everything would silence the other clusters as well.
  matchers: z.array(z.string().regex(/^\w+(=~|!~|!=|=)".+"$/, 'must be a matcher like cluster="apps"')).min(1),
})

const windowSchema = z.strictObject({
  days: z.array(z.string().refine(isWeekday, 'must be a day like sat')).min(1),
  from: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a local time like "22:00"'),
  hours: z.number().positive().max(168),
  timeZone: z.string().refine(isTimeZone, 'must be a time zone like Asia/Jakarta'),
})

const hours = z.number().nonnegative()
const isGate = (id: string): boolean => id in gates
const clockRule = z.enum(['restart', 'stop'])
const isPattern = (source: string): boolean => {
  try {
    return new RegExp(source) !== undefined
  } catch {
    return false
  }
}

/** The defaults of NFR39: 24 h, an hour for a hotfix, two days for what may break. */
const rolloutSchema = z.strictObject({
  order: z.array(clusterName).min(1),
  soakHours: hours,
  labels: z
    .array(
      z.strictObject({
        name: clusterName,
        hours,
        subject: z.string().refine(isPattern, 'must be a regular expression').optional(),
      }),
    )
    .default([
      { name: 'hotfix', hours: 1 },
      { name: 'major', hours: 48 },
    ]),
  tickMinutes: z.number().positive().default(60),
  restarts: z.number().int().positive().default(5),
  gates: z.array(z.string().refine(isGate, 'must be a gate, see `k8sops gate list`')).default(['alerts-quiet']),
  onRegression: clockRule.default('restart'),
  onGap: clockRule.default('stop'),
})

/** k8sops.yaml: only what neither talconfig.yaml nor cluster-settings.yaml can hold (design section 2). Unknown keys are errors. */
export const repositorySchema = z.strictObject({
  apiVersion: z.literal('k8sops.dev/v1'),
  kind: z.literal('Repository'),
  defaultCluster: clusterName,
  rollout: rolloutSchema,
  upgrade: z
    .strictObject({
      order: z.enum(['workers-first', 'control-planes-first']).optional(),
      window: windowSchema.optional(),
    })
    .optional(),
  clusters: z
    .record(
      clusterName,
      z.strictObject({
        context: z.string().min(1),
        follows: z.string().min(1),
        gates: gatesSchema,
        alertmanager: alertmanagerSchema.optional(),
      }),
    )
    .refine((clusters) => Object.keys(clusters).length > 0, 'names no cluster'),
  /** Label selectors of the Services that metrics, logs and alerts are asked of, in whichever cluster they are. */
  monitoring: z
    .strictObject({
      metrics: z.string().min(1).optional(),
      logs: z.string().min(1).optional(),
      alerts: z.string().min(1).optional(),
    })
    .optional(),
  /** Prefixes of image names that may be used (NFR15), in place of the defaults of the rule `trusted-registry`. */
  trustedRegistries: z.array(z.string().min(1)).optional(),
  onePassword: z.strictObject({
    ageKey: z.string().regex(/^op:\/\/[^/]+\/[^/]+\/.+/, 'must be a 1Password reference, op://vault/item/field'),
  }),
})
export type RepositoryFile = z.infer<typeof repositorySchema>

const vip = z.looseObject({ ip: z.string() })
const vlan = z.looseObject({ vlanId: z.number().int(), mtu: z.number().int().optional(), vip: vip.optional() })
const deviceSelector = z.looseObject({ hardwareAddr: z.string().optional(), permanentAddr: z.string().optional() })
const networkInterface = z.looseObject({
  interface: z.string().optional(),
  deviceSelector: deviceSelector.optional(),
  bond: z.looseObject({ deviceSelectors: z.array(deviceSelector).optional() }).optional(),
  mtu: z.number().int().optional(),
  vip: vip.optional(),
  vlans: z.array(vlan).optional(),
})
const nodeConfig = { networkInterfaces: z.array(networkInterface).optional() }
const node = z.looseObject({
  hostname: z.string().min(1),
  ipAddress: z.string().min(1),
  controlPlane: z.boolean().default(false),
  installDisk: z.string().optional(),
  installDiskSelector: z.looseObject({}).optional(),
  ...nodeConfig,
})

/** talconfig.yaml of talhelper v3.1: the part that we read. Keys that talhelper does not know are found by rules/talconfig-keys.ts. */
export const talconfigSchema = z.looseObject({
  clusterName: z.string(),
  talosVersion: z.string().optional(),
  kubernetesVersion: z.string().optional(),
  endpoint: z.string(),
  clusterPodNets: z.array(z.string()).optional(),
  clusterSvcNets: z.array(z.string()).optional(),
  nodes: z.array(node).min(1),
  controlPlane: z.looseObject(nodeConfig).optional(),
  worker: z.looseObject(nodeConfig).optional(),
})
export type Talconfig = z.infer<typeof talconfigSchema>
export type TalconfigNode = z.infer<typeof node>
export type NetworkInterface = z.infer<typeof networkInterface>

/** cluster-settings.yaml: the ConfigMap that Flux substitutes from; its keys are envsubst names. */
export const settingsSchema = z.looseObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('ConfigMap'),
  metadata: z.looseObject({ name: z.literal('cluster-settings'), namespace: z.literal('flux-system') }),
  data: z.record(
    z.string().regex(/^[A-Z][A-Z0-9_]*$/, 'must be an UPPER_SNAKE name'),
    z.string('must be a quoted string: a ConfigMap holds nothing else'),
  ),
})

/** Checks a file against a schema. Every mismatch is pushed onto `problems`; then the result is undefined. */
export function parseFile<T>(schema: z.ZodType<T>, file: YamlFile, problems: Problem[]): T | undefined {
  const result = schema.safeParse(file.data)
  if (result.success) return result.data
  problems.push(...issuesOf(result.error).map((issue) => issueProblem(issue, file)))
  return undefined
}

/** What is wrong with a value, and where in the document it stands. */
export interface Issue {
  path: YamlPath
  /** What is said behind the path. */
  message: string
}

/** Every mismatch that zod found. */
export function issuesOf(error: z.ZodError): Issue[] {
  return error.issues.flatMap((issue): Issue[] => {
    const path = issue.path.filter((key): key is string | number => typeof key !== 'symbol')
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ path: [...path, key], message: 'unknown key' }))
    const reason = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message
    return [{ path, message: lowerFirst(reason) }]
  })
}

export const issueProblem = ({ path, message }: Issue, file: YamlFile): Problem => ({
  file: file.path,
  line: file.lineOf(path),
  message: `${dotted(path)}: ${message}`,
})

/** `nodes[2].hostname`; the document itself is `.`. */
export function dotted(path: readonly (string | number)[]): string {
  if (path.length === 0) return '.'
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`))
    .join('')
    .replace(/^\./, '')
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1)
