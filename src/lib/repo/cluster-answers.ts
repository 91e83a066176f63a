/** What is asked about a new cluster, and what each answer must be like by itself. One word is a flag's, a file's key and a question's. */
import { z } from 'zod'
import { parseNetwork } from '../config/rules/networks.ts'
import { type Issue, issuesOf } from '../config/schema.ts'
import { networkOf } from './move-addresses.ts'

const label = (max: number, what: string) =>
  z.string().regex(new RegExp(`^[a-z]([-a-z0-9]{0,${max - 2}}[a-z0-9])?$`), what)

const network = z.string().check(({ value, issues }) => {
  const found = parseNetwork(value)
  const say = (message: string) => issues.push({ code: 'custom', input: value, message })
  if (!found) return void say(`${value} must be a network like 10.25.12.0/24`)
  if (found.family !== 'ipv4') return void say(`${value} must be an IPv4 network`)
  const right = networkOf(found)
  if (right !== value) say(`${value} is an address in a network, and the network is ${right}`)
})

const whole = (least: number, most: number, what = `must be a whole number from ${least} to ${most}`) =>
  z.number(what).refine((value) => Number.isInteger(value) && value >= least && value <= most, what)

// RFC 6996.
const privateAsn = 'must be a private AS number (64512 to 65534, or 4200000000 to 4294967294)'
const asn = z
  .number(privateAsn)
  .refine(
    (value) =>
      Number.isInteger(value) &&
      ((value >= 64_512 && value <= 65_534) || (value >= 4_200_000_000 && value <= 4_294_967_294)),
    privateAsn,
  )

const address = z.ipv4('must be an IPv4 address')
const port = z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i, 'must be a hardware address like 3c:ec:ef:01:02:03')
const machine = z.strictObject({
  hostname: label(63, 'must have lower-case letters, digits and hyphens'),
  address,
  controlPlane: z.boolean().default(false),
  ports: z.array(port).min(1, 'must name a port, or be left out').optional(),
})

/** As talhelper v3.1 and Talos 1.12 know it (InstallDiskSelector). */
const installDisk = z
  .strictObject({
    type: z.enum(['ssd', 'hdd', 'nvme', 'sd'], 'must be one of ssd, hdd, nvme, sd').optional(),
    size: z
      .string()
      .regex(/^(<=|>=|==|<|>)? ?\d+ ?([KMGT]i?B)?$/, 'must be a size like "<= 600GB"')
      .optional(),
    ...Object.fromEntries(
      ['name', 'model', 'serial', 'modalias', 'uuid', 'wwid', 'busPath'].map((key) => [
        key,
        z.string().min(1).optional(),
      ]),
    ),
  })
  .refine((selector) => Object.keys(selector).length > 0, 'must say how to find the disk')

const isPattern = (source: string): boolean => {
  try {
    return new RegExp(source) !== undefined
  } catch {
    return false
  }
}

const distinct = (names: string[]) => new Set(names).size === names.length

export const clusterAnswersSchema = z.strictObject({
  name: label(32, 'must have at most 32 lower-case letters, digits and hyphens').optional(),
  from: z.string().min(1).optional(),
  cidr: network.optional(),
  pods: network.optional(),
  services: network.optional(),
  lbPool: network.optional(),
  vlan: whole(1, 4094).optional(),
  vip: address.optional(),
  gateway: address.optional(),
  domain: z
    .string()
    .regex(/^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/, 'must be a domain like staging.example.org')
    .optional(),
  asn: asn.optional(),
  id: whole(1, 255).optional(),
  follows: z
    .string()
    .regex(/^(?!.*(\.\.|\/\/|@\{))[A-Za-z0-9][-\w./]*(?<![./])$/, 'must be the name of a branch')
    .optional(),
  apps: z.array(z.string()).refine(distinct, 'names an application twice').optional(),
  nodes: z.array(machine).min(1, 'must name a machine, or be left out').optional(),
  disks: z
    .strictObject({
      install: installDisk.optional(),
      local: z.string().min(1).optional(),
      ceph: z.string().refine(isPattern, 'must be a regular expression').optional(),
    })
    .optional(),
})
export type ClusterAnswers = z.infer<typeof clusterAnswersSchema>
export type AnswerKey = keyof ClusterAnswers

/** What a new repository is asked besides: its cluster is the first, and made after nobody's that it knows. */
export const repositoryAnswersSchema = clusterAnswersSchema.omit({ from: true, apps: true }).extend({
  git: z
    .string()
    .regex(
      /^(ssh:\/\/git@|https:\/\/)[\w.-]+\/[\w./-]+\.git$/,
      'must be an address like ssh://git@github.com/acme/clusters.git',
    )
    .optional(),
  recipient: z
    .string()
    .regex(/^age1[0-9a-z]{58}$/, 'must be the public half of an age key, age1...')
    .optional(),
})
export type RepositoryAnswers = z.infer<typeof repositoryAnswersSchema>

/** What has no default. */
export const requiredAnswers = ['cidr', 'pods', 'services', 'lbPool', 'vlan', 'domain', 'asn'] as const

/** Each answer by itself, so that a wrong one keeps nothing from being said of the others. */
export function readAnswers<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  given: Record<string, unknown>,
): { answers: Partial<z.infer<z.ZodObject<Shape>>>; issues: Issue[] } {
  const answers: Record<string, unknown> = {}
  const issues: Issue[] = []
  for (const [key, value] of Object.entries(given)) {
    const known = Object.hasOwn(schema.shape, key) ? schema.shape[key] : undefined
    if (!known) {
      issues.push({ path: [key], message: 'unknown key' })
      continue
    }
    const read = z.strictObject({ [key]: known }).safeParse({ [key]: value })
    if (read.success) answers[key] = read.data[key]
    else issues.push(...issuesOf(read.error))
  }
  return { answers: answers as Partial<z.infer<z.ZodObject<Shape>>>, issues }
}
