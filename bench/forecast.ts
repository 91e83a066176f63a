/** The forecast of a roll for a cluster far larger than ours: the pure part, over objects as the API server lists them. */
import { type ForecastInput, forecastUpgrade } from '../src/lib/ops/upgrade-forecast.ts'
import type { KubeObject } from '../src/lib/types.ts'
import { median, row } from './measure.ts'

const nodes = 200
const pods = 5_000
const namespaces = 40

function largeCluster(): ForecastInput {
  const names = Array.from({ length: nodes }, (_, index) => `n${index}`)
  const namespaceOf = (index: number) => `ns${index % namespaces}`
  const object = (kind: string, index: number, more: Partial<KubeObject>): KubeObject => ({
    apiVersion: 'v1',
    kind,
    metadata: { name: `${kind.toLowerCase()}-${index}`, namespace: namespaceOf(index), generation: 1 },
    ...more,
  })
  return {
    batches: names.map((name) => [name]),
    atTarget: [],
    pods: Array.from({ length: pods }, (_, index) =>
      object('Pod', index, {
        metadata: {
          name: `pod-${index}`,
          namespace: namespaceOf(index),
          labels: { app: `app-${index % 1000}`, 'app.kubernetes.io/name': `app-${index % 1000}` },
          ownerReferences: [
            { kind: 'ReplicaSet', name: `rs-${index % 1000}`, uid: `rs-${index % 1000}`, controller: true },
          ],
        } as KubeObject['metadata'],
        spec: {
          nodeName: names[index % nodes] as string,
          volumes: [{ persistentVolumeClaim: { claimName: `persistentvolumeclaim-${index}` } }],
        },
        status: { phase: 'Running' },
      }),
    ),
    budgets: Array.from({ length: 1000 }, (_, index) =>
      object('PodDisruptionBudget', index, {
        spec: { selector: { matchLabels: { app: `app-${index}` } } },
        status: { observedGeneration: 1, disruptionsAllowed: index % 3 },
      }),
    ),
    databases: [],
    cephClusters: [],
    claims: Array.from({ length: pods }, (_, index) =>
      object('PersistentVolumeClaim', index, { spec: { volumeName: `persistentvolume-${index}` } }),
    ),
    volumes: Array.from({ length: pods }, (_, index) =>
      object('PersistentVolume', index, { spec: index % 2 ? { local: {} } : { csi: {} } }),
    ),
    history: names.map((node, index) => ({ node, seconds: 60 + index })),
  }
}

export function benchForecast(): void {
  const input = largeCluster()
  const times = Array.from({ length: 7 }, () => {
    const started = performance.now()
    const { nodes: found } = forecastUpgrade(input)
    if (found.length !== nodes || !found.some(({ blocks }) => blocks.length > 0)) throw new Error('no forecast')
    return performance.now() - started
  })
  const ms = median(times)
  row(`forecast for ${nodes} nodes and ${pods} pods`, `${ms.toFixed(0)} ms`, '< 5 s', ms < 5_000)
}
