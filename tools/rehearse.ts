/**
 * `npm run rehearse [-- --cluster apps] [-- --report FILE] [-- --down]`: installs the tool-chain, brings up a lab of simulated Talos
 * machines, bootstraps the cluster on it exactly as on hardware, and leaves it running to be looked at.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const root = join(import.meta.dirname, '..')
const { values } = parseArgs({
  options: {
    cluster: { type: 'string', default: 'apps' },
    'lab-name': { type: 'string', default: 'default' },
    report: { type: 'string' },
    down: { type: 'boolean', default: false },
  },
})

const node = (script: string, ...args: string[]) => {
  console.error(`\n$ ${script === 'bin/k8sops.js' ? 'k8sops' : `node ${script}`} ${args.join(' ')}`)
  return spawnSync(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' }).status ?? 130
}
const lab = ['--cluster', values.cluster, '--lab-name', values['lab-name']]

const steps: [string, ...string[]][] = [
  ['tools/setup.ts', '--for', 'lab'],
  ['bin/k8sops.js', 'lab', 'up', ...lab],
  ['bin/k8sops.js', 'bootstrap', ...lab, '--lab', '--yes', ...(values.report ? ['--report', values.report] : [])],
]
for (const [script, ...args] of steps) {
  const status = node(script, ...args)
  if (status !== 0) process.exit(status)
}
node('bin/k8sops.js', 'lab', 'status', ...lab)
if (values.down) process.exit(node('bin/k8sops.js', 'lab', 'down', ...lab))
console.error(`
The lab is still running. Look around:
  node bin/k8sops.js lab exec ${lab.join(' ')} -- kubectl get nodes -o wide
  node bin/k8sops.js bootstrap ${lab.join(' ')} --lab      # again: changes nothing
  node bin/k8sops.js lab down ${lab.join(' ')}`)
