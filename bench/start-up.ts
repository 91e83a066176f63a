/** How soon a command is there: beside node itself and the flux CLI. */
import { resolveTool } from '../src/lib/tools/resolve.ts'
import { cli, compare, memoryRow, row, timeAndResources } from './measure.ts'

export function benchStartUp(): void {
  const flux = resolveTool('flux')?.path
  const node = process.execPath
  const medians = compare(
    [
      { name: 'node -e 0', command: [node, '-e', '0'] },
      { name: 'k8sops --version', command: [node, cli, '--version'] },
      ...(flux ? [{ name: 'flux --version', command: [flux, '--version'] }] : []),
      { name: 'k8sops --help', command: [node, cli, '--help'] },
      { name: 'k8sops __complete', command: [node, cli, '__complete', '--', 'boot'] },
    ],
    15,
  )
  const ms = (name: string) => medians[name] ?? Number.NaN
  const base = ms('node -e 0')
  row(
    'k8sops --version / node -e 0',
    `${ms('k8sops --version').toFixed(0)} / ${base.toFixed(0)} ms = ${(ms('k8sops --version') / base).toFixed(2)}`,
    '<= 1.25',
    ms('k8sops --version') <= 1.25 * base,
  )
  if (flux)
    row(
      'k8sops --version / flux --version',
      `${ms('k8sops --version').toFixed(0)} / ${ms('flux --version').toFixed(0)} ms = ${(ms('k8sops --version') / ms('flux --version')).toFixed(2)}`,
      'beside',
      true,
    )
  row('k8sops --help', `${ms('k8sops --help').toFixed(0)} ms`, '< 100 ms', ms('k8sops --help') < 100)
  row('completion', `${ms('k8sops __complete').toFixed(0)} ms`, '< 100 ms', ms('k8sops __complete') < 100)
  for (const args of [['--version'], ['bootstrap', '--cluster', 'apps', '--dry-run'], ['validate']]) {
    memoryRow(args, timeAndResources(args).mb)
  }
}
