import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { defineCommand } from '../../lib/cli/define.ts'
import { ConfigError, GateError } from '../../lib/errors.ts'
import { basisOf } from '../../lib/ops/basis.ts'
import { machinePaths } from '../../lib/ops/machine-plan.ts'
import { firstServer, openbaoRunbook, planOpenbaoInit } from '../../lib/ops/openbao-init.ts'
import { platformKinds } from '../../lib/ops/platform-facts.ts'
import { layout } from '../../lib/repo/layout.ts'
import { pinnedVersions } from '../../lib/tools/catalog.ts'

export const platformOpenbaoInit = defineCommand({
  path: 'platform openbao-init',
  summary: 'Initialize OpenBao, its keys straight into 1Password, and run its setup',
  description:
    'The first start of an OpenBao. Recovery keys and the root token become an item of the cluster’s 1Password vault and are nowhere else; then its setup is run with what 1Password has. On one that is initialized already only the setup runs, which adds what is missing.',
  effect: 'write',
  options: [
    {
      flags: '--item <title>',
      description: 'item of the vault that keeps what initializing gives out',
      default: 'openbao-init',
    },
  ],
  examples: ['k8sops platform openbao-init --cluster infra --dry-run', 'k8sops platform openbao-init --cluster infra'],
  runbook: openbaoRunbook,
  async plan(context) {
    const [cluster, target, exec, kube] = await Promise.all([
      context.cluster(),
      context.target(),
      context.exec(),
      context.kube(),
    ])
    const vault = cluster.settings.ONEPASSWORD_VAULT
    if (!vault) throw new ConfigError('cluster-settings.yaml names no ONEPASSWORD_VAULT: where should the keys go?')
    const template = `${layout.bootstrap}/${cluster.name}/openbao.tpl`
    if (!existsSync(join(target.root, template)))
      throw new ConfigError(`${template} is missing: it names what OpenBao's setup takes from 1Password`)
    const listed = await kube.list(platformKinds.vaults, context.signal)
    const pod = listed.ok ? firstServer(listed.value) : undefined
    if (!pod)
      throw new GateError(
        `cluster ${cluster.name} has no OpenBao${listed.ok ? '' : ` that can be read: ${listed.detail}`}`,
      )
    const files = { tools: pinnedVersions('bootstrap'), paths: [...machinePaths(cluster.name), template] }
    const basis = await basisOf(exec, target, files, { pod: `${pod.namespace}/${pod.name}` })
    return planOpenbaoInit({ cluster, target, pod, item: String(context.options.item), vault, template }, basis)
  },
})
