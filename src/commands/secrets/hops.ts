/** `secrets sync` and `secrets rotate-test`. */
import { randomBytes } from 'node:crypto'
import { completeApp } from '../../lib/cli/app-option.ts'
import { type CommandContext, defineCommand, type OptionSpec } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { wholeSeconds } from '../../lib/cli/hold-options.ts'
import { confirmOption } from '../../lib/cli/node-option.ts'
import { ConfigError, UnreachableError, UsageError } from '../../lib/errors.ts'
import { secretDigest, shortDigest } from '../../lib/gates/secret-digest.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import {
  externalSecretKind,
  fieldReference,
  hopsTargetSec,
  planRotation,
  planSync,
  type SecretView,
  secretsOfApp,
  secretsOfItem,
  secretView,
} from '../../lib/ops/secret-hops.ts'
import { createOpPort } from '../../lib/tools/op.ts'
import { holdBasis } from '../flux/holding.ts'
import { secretsRunbook } from './key.ts'

const limitOption: OptionSpec = {
  flags: '--limit <duration>',
  description: 'for all hops together (NFR5: 10m)',
  default: `${hopsTargetSec / 60}m`,
}

export const secretsSync = defineCommand({
  path: 'secrets sync',
  summary: 'Bring what was changed in 1Password into an application now, and follow it into its pods',
  description:
    'Asks External Secrets to look at once, waits until every ExternalSecret of the application was refreshed after that, and until each pod that uses one of its Secrets has the value of now: started since it was written, or with files of its digest. Each hop is timed. Exit code 3 names the hop where it stays.',
  effect: 'write',
  args: { app: 'name of its Kustomization or HelmRelease, or of one ExternalSecret' },
  completeArgs: completeApp,
  options: [limitOption],
  examples: ['k8sops secrets sync cloudflared --cluster infra', 'k8sops secrets sync grafana -o json'],
  runbook: secretsRunbook,
  async plan(context) {
    const app = context.args.app ?? ''
    const secrets = secretsOfApp(await observeSecrets(context), app)
    return planSync(await hopsOf(context, 'secrets.sync', secrets), app, await basisOf(context, secrets))
  },
})

export const secretsRotateTest = defineCommand({
  path: 'secrets rotate-test',
  summary: 'Change an item in 1Password and follow the change into running pods, each hop timed',
  description:
    "Proves that a rotation arrives within ten minutes (NFR5): gives one concealed field of the item a random value of the same length, then item -> ExternalSecret refreshed -> Secret's digest changed -> pods have it. Values are compared by digest and never shown. What the item was is lost, so it takes the item's name as confirmation: use an item that is there for it. Exit code 3 names the hop that failed.",
  effect: 'write',
  options: [
    { flags: '--item <name>', description: "in the cluster's vault", default: 'rotation-test' },
    { flags: '--field <name>', description: 'its concealed field', default: 'password' },
    limitOption,
    confirmOption('the item'),
  ],
  examples: [
    'k8sops secrets rotate-test --cluster infra --confirm rotation-test',
    'k8sops secrets rotate-test --item rotation-test --dry-run',
  ],
  runbook: secretsRunbook,
  confirm: (plan) => `Give field ${String(plan.params.field)} of ${String(plan.params.item)} a random value, for good?`,
  confirmName: (plan) => String(plan.params.item).split('/').at(-1),
  async plan(context) {
    const [cluster, exec] = await Promise.all([context.cluster(), context.exec()])
    const item = String(context.options.item)
    const field = String(context.options.field)
    const vault = cluster.settings.ONEPASSWORD_VAULT
    if (!vault) throw new ConfigError('cluster-settings.yaml names no ONEPASSWORD_VAULT: where is the item?')
    const secrets = secretsOfItem(await observeSecrets(context), item, field, cluster.name)
    const input = await hopsOf(context, 'secrets.rotate-test', secrets)
    const read = await createOpPort(exec).read(fieldReference(vault, item, field), context.signal)
    if (!read.ok)
      throw new UnreachableError(`field ${field} of item ${item} can't be read from vault ${vault}`, {
        output: read.detail,
        next: 'eval $(op signin), then the same again',
        runbook: secretsRunbook,
      })
    const salt = input.token
    const digests = { field: shortDigest(read.value, salt), secrets: await digestsOf(context, secrets, salt) }
    return planRotation({ ...input, vault, item, field, salt, digests }, await basisOf(context, secrets))
  },
})

async function hopsOf(context: CommandContext, operation: string, secrets: SecretView[]) {
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const limitSec = parseDurationSec(String(context.options.limit))
  if (limitSec <= 0) throw new UsageError('--limit has to be longer than nothing')
  const now = Date.now()
  const token = operationToken(operation, new Date(now))
  return { cluster, target, secrets, token, since: wholeSeconds(now), limitSec }
}

const basisOf = (context: CommandContext, secrets: SecretView[]) =>
  holdBasis(context, {
    seen: Object.fromEntries(secrets.map(({ namespace, name, seen }) => [`${namespace}/${name}`, seen])),
  })

async function observeSecrets(context: CommandContext): Promise<SecretView[]> {
  const read = await (await context.kube()).list(externalSecretKind, context.signal)
  if (read.ok) return read.value.map(secretView)
  if (read.why === 'not-found') return []
  throw new UnreachableError(`ExternalSecrets of ${(await context.cluster()).name} can't be read`, {
    output: read.detail,
  })
}

async function digestsOf(
  context: CommandContext,
  secrets: SecretView[],
  salt: string,
): Promise<Record<string, string>> {
  const kube = await context.kube()
  const entries = await Promise.all(
    secrets.map(async ({ namespace, target }) => {
      const read = await kube.list({ apiVersion: 'v1', kind: 'Secret', namespace, name: target }, context.signal)
      if (!read.ok && read.why !== 'not-found')
        throw new UnreachableError(`Secret ${namespace}/${target} can't be read`, { output: read.detail })
      return [`${namespace}/${target}`, secretDigest(read.ok ? read.value[0]?.data : undefined, salt)] as const
    }),
  )
  return Object.fromEntries(entries)
}

/** @returns letters and digits */
export function randomText(length: number): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return [...randomBytes(length)].map((byte) => letters[byte % letters.length]).join('')
}
