/** A plan that comes from a file is checked for its shape: it will be carried out. */
import { z } from 'zod'
import { ConfigError } from '../errors.ts'
import type { Plan } from '../types.ts'

const words = z.record(z.string(), z.string())
const command = z.strictObject({
  tool: z.enum([
    'age',
    'cilium',
    'flate',
    'flux',
    'git',
    'helm',
    'helmfile',
    'k8sops',
    'kubectl',
    'kustomize',
    'op',
    'sops',
    'talhelper',
    'talosctl',
  ]),
  args: z.array(z.string()),
  env: words.optional(),
  secretEnv: words.optional(),
})
const check = z.strictObject({
  gate: z.string(),
  params: words.optional(),
  stableSec: z.number().nonnegative().optional(),
})
const action = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('exec'),
    pipeline: z.array(command).min(1),
    retry: z.strictObject({ while: z.array(z.string()), everySec: z.number().positive() }).optional(),
    stall: z.strictObject({ afterSec: z.number().positive(), attempts: z.number().int().positive() }).optional(),
    accept: z.array(z.string()).optional(),
  }),
  z.strictObject({ kind: z.literal('wait') }),
])
const step = z.strictObject({
  id: z.string().min(1),
  title: z.string(),
  action,
  unless: z.array(check).optional(),
  orUnless: z.array(check).optional(),
  skipWith: z.string().optional(),
  onceBegun: z.array(check).optional(),
  require: z.array(check).optional(),
  verify: z.array(check),
  interrupt: z.enum(['now', 'after']),
  finding: z.literal(true).optional(),
  always: z.literal(true).optional(),
  timeoutSec: z.number().positive(),
  group: z.string().optional(),
  runbook: z.string().optional(),
})
const plan = z.strictObject({
  apiVersion: z.literal('k8sops.dev/v1'),
  kind: z.literal('Plan'),
  operation: z.string().min(1),
  cluster: z.string().min(1),
  params: z.record(z.string(), z.json()),
  basis: z.looseObject({ commit: z.string(), digest: z.string(), observed: z.record(z.string(), z.json()) }),
  scope: z.string().min(1),
  targetSec: z.number().positive().optional(),
  endsApi: z.literal(true).optional(),
  silence: z.strictObject({ matchers: z.array(z.string()).min(1) }).optional(),
  steps: z
    .array(step)
    .refine((steps) => new Set(steps.map(({ id }) => id)).size === steps.length, 'two steps have the same id'),
})

/** @throws ConfigError with every fault of the plan; another apiVersion is refused, not guessed at. */
export function parsePlan(text: string, file: string): Plan {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ConfigError(`${file} is no JSON`, [{ file, line: 1, message: (cause as Error).message }], { cause })
  }
  const parsed = plan.safeParse(value)
  if (parsed.success) return value as Plan
  const problems = parsed.error.issues.map(({ path, message }) => ({
    file,
    line: 1,
    message: `${path.join('.')}: ${message}`,
  }))
  throw new ConfigError(`${file} is no plan of this version`, problems, { next: 'make it again with --plan-out' })
}
