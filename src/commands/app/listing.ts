/** One application of a cluster, by the name that was typed. */
import type { CommandContext, CompletionSource } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { type Application, type Overlay, readApplications } from '../../lib/repo/applications.ts'
import { layout } from '../../lib/repo/layout.ts'

/** @throws UsageError when there is no such application, or nothing of it for this cluster */
export async function overlayOf(context: CommandContext): Promise<Overlay> {
  const { app = '' } = context.args
  const { root, clusters } = await context.repository()
  const cluster = await context.clusterName()
  const applications = readApplications(
    root,
    clusters.map(({ name }) => name),
  )
  const application = applications.find(({ name }) => name === app)
  if (!application)
    throw new UsageError(`there is no application ${app}`, {
      next: `one of ${applications.map(({ name }) => name).join(', ')}, or k8sops app new ${app}`,
    })
  const overlay = application.overlays.find((one) => one.cluster === cluster)
  if (!overlay)
    throw new UsageError(`${app} has no files for ${cluster}`, {
      next: `copy ${elsewhere(application)} to ${layout.clusterApps(cluster)}/, and change what differs`,
    })
  return overlay
}

const elsewhere = ({ name, overlays }: Application) => overlays[0]?.directory ?? `${layout.appBases}/${name}`

export async function completeApplications({ repository }: CompletionSource): Promise<string[]> {
  const found = await repository()
  if (!found) return []
  const clusters = found.clusters.map(({ name }) => name)
  return readApplications(found.root, clusters).map(({ name }) => name)
}
