/**
 * A local process stands for a pod: the real kustomize-controller and helm-controller run exactly while their
 * Deployment's pod is Running, as the service account of that pod, with the flags of its container.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readAccess } from '../../kube/kubeconfig.ts'
import type { Json, KubeObject } from '../../types.ts'
import { type KeptRunning, keepRunning } from '../children.ts'
import { type ClusterView, matches } from '../kube/cluster-view.ts'
import { proxyCaFile, proxyPort } from '../materialise/environment.ts'
import type { Lab } from '../types.ts'

export interface ControllerDefinition {
  /** Name of the Deployment, its `app` label, its service account and its binary. */
  name: string
  binary: string
  metricsPort: number
  healthPort: number
  /** Faster than any profile of flux-operator: a rehearsal waits for nothing but the cluster (design section 5). */
  concurrent: number
}

export interface PodProcess {
  /** Starts or stops the process as the pods are now. */
  follow(): void
  status(): { [key: string]: Json }
  stop(): Promise<void>
}

/** Flags that mean something only inside the cluster. The rest of the pod's flags are passed on. */
const clusterFlags =
  /^--(events-addr|enable-leader-election|metrics-addr|health-addr|storage-|concurrent|requeue-dependency)/

/**
 * Elsewhere they have a node's processors to themselves. One that begins anew, as after each drain, reconciles all there is at once, and
 * who asks the API server meanwhile would wait for that.
 */
const standBack = 19

/** A kubelet kills what hasn't ended by itself after the pod's grace period. */
const graceMs = 5_000

export function createPodProcess(lab: Lab, view: ClusterView, definition: ControllerDefinition): PodProcess {
  const { name } = definition
  let pod: KubeObject | undefined
  let process: KeptRunning | undefined
  let restarts = 0
  let lastExit: string | undefined
  let stopped = false
  /** Starts and stops are done one after the other. */
  let busy: Promise<void> = Promise.resolve()

  const wantedPod = () => {
    const running = view.runningPods().filter((candidate) => matches(candidate, { app: name }))
    // While a Deployment rolls, the old pod leads until it is gone.
    return running.find(({ metadata }) => metadata.uid === pod?.metadata.uid) ?? running.at(-1)
  }

  const start = async (next: KubeObject) => {
    const directory = join(lab.spec.dir, 'flux', name)
    await mkdir(join(directory, 'tmp'), { recursive: true })
    const kubeconfig = join(directory, 'kubeconfig')
    await writeKubeconfig(lab, view, next, kubeconfig)
    lab.log('flux', `${name} runs for pod ${next.metadata.name}`)
    process = keepRunning(
      () =>
        lab.spawn(name, definition.binary, argumentsFor(lab, definition, next), {
          env: environment(lab, next, directory),
          nice: standBack,
        }),
      ({ code, signal }, restartMs) => {
        restarts++
        lastExit = `${signal ?? `exit code ${code}`} at ${new Date().toISOString()}`
        lab.log('flux', `${name} ended (${signal ?? code}), restart in ${restartMs} ms`)
      },
    )
  }
  const end = async () => {
    const ending = process
    process = undefined
    if (!ending) return
    const killed = setTimeout(() => ending.current()?.kill('SIGKILL'), graceMs)
    await ending.stop('SIGTERM')
    clearTimeout(killed)
  }
  const follow = () => {
    busy = busy.then(async () => {
      const next = stopped ? undefined : wantedPod()
      if (next?.metadata.uid === pod?.metadata.uid) return
      if (pod) lab.log('flux', `${name} stops: pod ${pod.metadata.name} is gone`)
      await end()
      pod = undefined
      if (!next) return
      await start(next)
      pod = next
    })
    busy = busy.catch((error: Error) => {
      lab.log('flux', `${name} can't start: ${error.message}`)
      // Nothing else may change that would call us again.
      if (!stopped) setTimeout(follow, 1_000).unref()
    })
  }

  return {
    follow,
    status: () => ({
      running: process?.current() !== undefined,
      pid: process?.current()?.pid ?? null,
      pod: pod?.metadata.name ?? null,
      image: pod ? imageOf(pod) : null,
      restarts,
      ...(lastExit === undefined ? {} : { lastExit }),
    }),
    async stop() {
      stopped = true
      follow()
      await busy
    },
  }
}

function imageOf(pod: KubeObject): string {
  return ((pod.spec?.containers ?? []) as { image?: string }[])[0]?.image ?? ''
}

function argumentsFor(lab: Lab, definition: ControllerDefinition, pod: KubeObject): string[] {
  const { base } = lab.spec
  const containers = (pod.spec?.containers ?? []) as { args?: string[] }[]
  const own = (containers[0]?.args ?? []).filter((argument) => !clusterFlags.test(argument))
  return [
    ...own,
    '--events-addr=',
    '--enable-leader-election=false',
    `--metrics-addr=${base}:${definition.metricsPort}`,
    `--health-addr=${base}:${definition.healthPort}`,
    `--concurrent=${definition.concurrent}`,
    '--requeue-dependency=1s',
  ]
}

function environment(lab: Lab, pod: KubeObject, directory: string): Record<string, string> {
  const proxy = `http://${lab.spec.base}:${proxyPort}`
  return {
    KUBECONFIG: join(directory, 'kubeconfig'),
    RUNTIME_NAMESPACE: pod.metadata.namespace ?? 'flux-system',
    HOME: directory,
    TMPDIR: join(directory, 'tmp'),
    HTTPS_PROXY: proxy,
    HTTP_PROXY: proxy,
    SSL_CERT_FILE: proxyCaFile(lab.spec.dir),
  }
}

/** As long as any lab lives; the process would have to be restarted to get another one. */
const tokenSeconds = 365 * 24 * 3600

/** A kubeconfig with a token of the pod's service account, so that the cluster's RBAC decides what the controller may do. */
async function writeKubeconfig(lab: Lab, view: ClusterView, pod: KubeObject, file: string): Promise<void> {
  const namespace = pod.metadata.namespace ?? ''
  const account = String(pod.spec?.serviceAccountName ?? 'default')
  const request = await view.writer().create(
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { name: account, namespace },
      spec: { expirationSeconds: tokenSeconds },
    },
    { of: { apiVersion: 'v1', kind: 'ServiceAccount', namespace, name: account }, name: 'token' },
  )
  const { server, ca } = await clusterAccess(lab)
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'lab', cluster: { server, 'certificate-authority-data': ca.toString('base64') } }],
    users: [{ name: account, user: { token: request.status?.token } }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: account, namespace } }],
    'current-context': 'lab',
  }
  await writeFile(file, JSON.stringify(kubeconfig), { mode: 0o600 })
}

async function clusterAccess(lab: Lab): Promise<{ server: string; ca: Buffer }> {
  const { parse } = await import('yaml')
  const { readFile } = await import('node:fs/promises')
  const context =
    (parse(await readFile(lab.adminKubeconfig, 'utf8')) as Record<string, string>)['current-context'] ?? ''
  const access = await readAccess(lab.adminKubeconfig, context)
  if (!access.ok) throw new Error(access.detail)
  return { server: access.value.server, ca: access.value.ca ?? Buffer.alloc(0) }
}
