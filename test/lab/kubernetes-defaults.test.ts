/** What the mutation proof takes for a default of Kubernetes is what its API server fills in, or fills into the job or the pod that is made of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dig, listAt } from '../../src/lib/repo/fields.ts'
import { ofKubernetes } from '../helpers/api-defaults.ts'
import { kubectl } from '../helpers/lab.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

const probe = { tcpSocket: { port: 1 } }
const container = { name: 'c', image: 'i', ports: [{ containerPort: 1 }] }
const pod = {
  containers: [{ ...container, livenessProbe: probe, readinessProbe: probe, startupProbe: probe }],
  volumes: [
    { name: 'a', configMap: { name: 'a' } },
    { name: 'b', secret: { secretName: 'b' } },
  ],
}
const selector = { matchLabels: { app: 'd' } }
const template = { metadata: { labels: { app: 'd' } }, spec: pod }
const job = { template: { spec: { ...pod, restartPolicy: 'Never' } } }
const roleRef = { kind: 'ClusterRole', name: 'view' }
const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }

/** As little as the API server takes. */
const least: Record<string, object> = {
  'Pod.': { apiVersion: 'v1', spec: pod },
  'Deployment.apps': { apiVersion: 'apps/v1', spec: { selector, template } },
  'StatefulSet.apps': { apiVersion: 'apps/v1', spec: { selector, template, serviceName: 'd' } },
  'DaemonSet.apps': { apiVersion: 'apps/v1', spec: { selector, template } },
  'Job.batch': { apiVersion: 'batch/v1', spec: job },
  'CronJob.batch': { apiVersion: 'batch/v1', spec: { schedule: '0 0 * * *', jobTemplate: { spec: job } } },
  'Service.': { apiVersion: 'v1', spec: { ports: [{ port: 1 }] } },
  'RoleBinding.rbac.authorization.k8s.io': {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    roleRef,
    subjects: [{ kind: 'User', name: 'a' }],
  },
  'ClusterRoleBinding.rbac.authorization.k8s.io': { apiVersion: 'rbac.authorization.k8s.io/v1', roleRef },
  'ValidatingAdmissionPolicy.admissionregistration.k8s.io': {
    apiVersion: 'admissionregistration.k8s.io/v1',
    spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression: 'true' }] },
  },
}

/** Values at a path, of each element of a list that has its parent. */
function valuesAt(value: unknown, [key, ...rest]: string[]): unknown[] {
  if (key === undefined) return [value]
  if (key === '*') return listAt({ value }, 'value').flatMap((item) => valuesAt(item, rest))
  const below = dig(value, [key])
  return below === undefined && rest.length > 0 ? [] : valuesAt(below, rest)
}

test('each default of Kubernetes that the mutation proof counts on is filled in', async () => {
  const { record } = await sharedLab()
  const directory = mkdtempSync(join(tmpdir(), 'k8sops-defaults-'))
  const filledIn = async (id: string): Promise<unknown> => {
    const file = join(directory, 'object.json')
    const kind = id.split('.')[0]
    writeFileSync(file, JSON.stringify({ kind, metadata: { name: 'd', namespace: 'default' }, ...least[id] }))
    const { stdout } = await kubectl(record, 'create', '--dry-run=server', '-o', 'json', '-f', file)
    return JSON.parse(stdout)
  }
  try {
    const [ofPod, ofJob] = [await filledIn('Pod.'), await filledIn('Job.batch')]
    for (const [id, defaults] of Object.entries(ofKubernetes)) {
      const object = await filledIn(id)
      for (const [path, expected] of Object.entries(defaults)) {
        const inJob = /^spec\.jobTemplate\.(spec\..+)$/.exec(path)?.[1]
        const inPod = /template\.(spec\..+)$/.exec(inJob ?? path)?.[1]
        const found = [
          ...valuesAt(object, path.split('.')),
          ...(inJob ? valuesAt(ofJob, inJob.split('.')) : []),
          ...(inPod ? valuesAt(ofPod, inPod.split('.')) : []),
        ]
        expect(
          found.find((value) => value !== undefined),
          `${id} ${path}`,
        ).toBe(expected)
      }
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})
