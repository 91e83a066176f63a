/** The tools that only our own checks need, in build order, after the others. */
import type { Tool } from './catalog.ts'

const versionLine = /(?:^|[^\d.])v?(\d+\.\d+\.\d+(?:-[\w.]+)?)/m

/** Of a GitHub repository of the same name. */
const forTests = (
  name: string,
  owner: string,
  linkerValues: Record<string, string>,
  ask: string,
  coldSec: number,
): Tool => ({
  name,
  dir: name,
  module: `github.com/${owner}/${name}`,
  package: `github.com/${owner}/${name}/cmd/${name}`,
  linkerValues,
  selfCheck: { args: [ask], pattern: versionLine },
  neededFor: ['test'],
  coldSec,
  mise: `aqua:${owner}/${name}`,
})

/** Of one module, and with no name that mise knows them by: its builds are called `<name>-prod`. */
const victoria = (name: string, repository: 'VictoriaMetrics' | 'VictoriaLogs', coldSec: number): Tool => ({
  name,
  dir: repository === 'VictoriaMetrics' ? 'victoria-metrics' : 'victoria-logs',
  module: `github.com/VictoriaMetrics/${repository}`,
  package: `github.com/VictoriaMetrics/${repository}/app/${name}`,
  linkerValues: { 'github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version': `${name}-{tag}` },
  selfCheck: { args: ['--version'], pattern: /-v(\d+\.\d+\.\d+)$/m },
  neededFor: ['test'],
  coldSec,
})

export const catalogForTests: Tool[] = [
  forTests('kubeconform', 'yannh', { 'main.version': '{tag}' }, '-v', 3),
  forTests('actionlint', 'rhysd', { 'github.com/rhysd/actionlint.version': '{version}' }, '-version', 4),
  {
    ...forTests('hcl2json', 'tmccombs', { 'main.version': '{version}' }, '-version', 6),
    package: 'github.com/tmccombs/hcl2json',
  },
  forTests(
    'alertmanager',
    'prometheus',
    { 'github.com/prometheus/common/version.Version': '{version}' },
    '--version',
    60,
  ),
  victoria('victoria-metrics', 'VictoriaMetrics', 22),
  victoria('vmagent', 'VictoriaMetrics', 4),
  victoria('vmalert', 'VictoriaMetrics', 4),
  victoria('vmalert-tool', 'VictoriaMetrics', 3),
  victoria('victoria-logs', 'VictoriaLogs', 8),
  {
    ...forTests('flate', 'home-operations', { 'main.version': '{version}' }, '--version', 120),
    // flate 0.6.5's go.mod says go 1.27.0.
    goToolchain: 'go1.27.0',
    mise: 'github:home-operations/flate',
  },
]
