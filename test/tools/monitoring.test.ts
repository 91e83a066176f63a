/**
 * metrics, logs and alerts as an operator runs them: a real API server, whose proxy leads to the real VictoriaMetrics, VictoriaLogs and
 * Alertmanager. Local processes stand for their pods, as in the lab.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createPodNetwork, type PodNetwork } from '../../src/lib/lab/control-plane/pod-network.ts'
import { planSilence, planSilenceEnd } from '../../src/lib/ops/alert-silence.ts'
import { resolveTool } from '../../src/lib/tools/resolve.ts'
import { repositoryRoot } from '../helpers/lab.ts'
import { startTestCluster, type TestCluster } from '../helpers/test-cluster.ts'
import { type Program, startProgram, startVictoriaLogs, startVictoriaMetrics } from '../helpers/victoria.ts'

const names = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kwok', 'kubectl']
const dir = mkdtempSync(join(tmpdir(), 'k8sops-monitoring-'))
const namespace = 'observability'
let cluster: TestCluster
let pods: PodNetwork
const programs: Program[] = []
/** Pod addresses by Service. */
const standing = new Map<string, string>()

beforeAll(async () => {
  const tools = Object.fromEntries(names.map((name) => [name, resolveTool(name)?.path ?? name]))
  pods = createPodNetwork(dir)
  await pods.open()
  cluster = await startTestCluster(dir, 203, tools)
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  const [metrics, logs, alerts] = await Promise.all([startVictoriaMetrics(), startVictoriaLogs(), startAlertmanager()])
  programs.push(metrics, logs, alerts)
  await standIn('vmsingle', 'vmsingle-stack', 8428, metrics)
  await standIn('victoria-logs-single', 'victoria-logs-server', 9428, logs)
  await standIn('vmalertmanager', 'vmalertmanager-stack', 9093, alerts)
  const kubeconfig = readFileSync(cluster.lab.adminKubeconfig, 'utf8')
  const [, context = ''] = /^current-context: *"?([^"\n]+)/m.exec(kubeconfig) ?? []
  writeFileSync(join(dir, 'kubeconfig'), kubeconfig.replaceAll(`"${context}"`, '"apps"').replaceAll(context, 'apps'))
})

afterAll(async () => {
  await Promise.all(programs.map((program) => program.close()))
  await cluster?.stop()
  await pods?.close()
  rmSync(dir, { recursive: true, force: true })
})

function startAlertmanager(): Promise<Program> {
  const config = 'route: { receiver: none }\nreceivers: [{ name: none }]\n'
  const args = (listen: string, home: string) => {
    writeFileSync(join(home, 'config.yaml'), config)
    return [
      '--config.file=config.yaml',
      '--storage.path=data',
      `--web.listen-address=${listen}`,
      '--cluster.listen-address=',
    ]
  }
  return startProgram('alertmanager', args, { ready: '/-/ready' })
}

/** A headless Service and its pod, as the operator makes them; the program stands for the pod. */
async function standIn(label: string, name: string, port: number, { url }: Program): Promise<void> {
  const labels = { 'app.kubernetes.io/name': label }
  const metadata = { name, namespace, labels }
  const containers = [{ name: 'main', image: 'none', ports: [{ name: 'http', containerPort: port }] }]
  await cluster.until('the namespace has its service account', () =>
    cluster
      .apply(
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata,
          spec: { clusterIP: 'None', selector: labels, ports: [{ name: 'http', port }] },
        },
        { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers } },
      )
      .then(() => true),
  )
  const address = await cluster.until(`an endpoint of ${name}`, async () => {
    const found = await cluster.get<{ subsets?: { addresses?: { ip: string }[] }[] }>(
      'endpoints',
      '-n',
      namespace,
      name,
    )
    return found.subsets?.[0]?.addresses?.[0]?.ip
  })
  const { hostname, port: local } = new URL(url)
  pods.stand(`${address}:${port}`, { host: hostname, port: Number(local) })
  standing.set(name, `${address}:${port}`)
}

const program = join(repositoryRoot, 'bin/k8sops.js')
const environment = () => ({ ...process.env, KUBECONFIG: join(dir, 'kubeconfig') })

interface Ended {
  code: number
  stdout: string
  stderr: string
}

function k8sops(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, ...args],
      { cwd: repositoryRoot, env: environment(), maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    )
  })
}
const itemsOf = ({ stdout }: Ended) => (JSON.parse(stdout) as { items: { [key: string]: unknown }[] }).items

describe('metrics', () => {
  const now = Math.floor(Date.now() / 1000)
  beforeAll(async () => {
    const lines = ['infra', 'apps'].flatMap((name) =>
      Array.from(
        { length: 60 },
        (_, index) => `load{cluster="${name}",node="${name}-w1"} ${index} ${(now - (59 - index) * 60) * 1000}`,
      ),
    )
    const url = programs[0]?.url
    await fetch(`${url}/api/v1/import/prometheus`, { method: 'POST', body: lines.join('\n') })
    await fetch(`${url}/internal/force_flush`)
  })

  it('come of the chosen cluster, and of all', async () => {
    const one = await k8sops('metrics', 'query', 'load', '--cluster', 'apps', '-o', 'json')
    expect(one, one.stderr).toMatchObject({ code: 0 })
    const [found] = itemsOf(one)
    expect(found).toMatchObject({ labels: { cluster: 'apps' } })
    // VictoriaMetrics answers for half a minute ago (-search.latencyOffset).
    expect(found?.value).toBeGreaterThan(50)
    const all = await k8sops('metrics', 'query', 'sum(load) by (cluster)', '--cluster', 'all', '-o', 'json')
    expect(itemsOf(all)).toHaveLength(2)
  })

  it('come over a time', async () => {
    const range = await k8sops('metrics', 'range', 'load', '--cluster', 'apps', '--since', '58m')
    expect(range.stdout).toMatch(/▁.*█ +\d+ +5[6-9] +5[6-9]$/m)
  })

  it('are not there, or not understood, in VictoriaMetrics’ own words', async () => {
    expect(await k8sops('metrics', 'query', 'nope')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('no series'),
    })
    const wrong = await k8sops('metrics', 'query', 'sum(load', '--cluster', 'apps')
    expect(wrong.stderr).toMatch(/does not take the query/)
    expect(wrong.stderr).toMatch(/sum\(load/)
    expect(wrong.code).toBe(2)
  })
})

describe('logs', () => {
  const say = async (...lines: { [field: string]: string }[]) => {
    const query = '_stream_fields=stream,k_namespace_name,k_pod_name,app,cluster&_msg_field=log&_time_field=date'
    const body = lines
      .map((line) => JSON.stringify({ date: new Date().toISOString(), stream: 'stdout', ...line }))
      .join('\n')
    const { url } = programs[1] as Program
    await fetch(`${url}/insert/jsonline?${query}`, { method: 'POST', body })
    await fetch(`${url}/internal/force_flush`)
  }
  const line = (cluster: string, pod: string, log: string) => ({
    cluster,
    log,
    app: 'odoo',
    k_namespace_name: 'business',
    k_pod_name: pod,
    k_container_name: 'odoo',
  })

  it('are found by application, pod, words and cluster', async () => {
    await say(
      line('apps', 'odoo-1', 'it works'),
      line('apps', 'odoo-2', 'error: "no way"'),
      line('infra', 'odoo-1', 'error elsewhere'),
    )
    const texts = async (...args: string[]) =>
      itemsOf(await k8sops('logs', ...args, '-o', 'json')).map(({ message }) => message)
    expect(await texts('odoo', '--cluster', 'apps')).toEqual(['it works', 'error: "no way"'])
    expect(await texts('--pod', 'odoo-2', '-n', 'business', '--cluster', 'apps')).toEqual(['error: "no way"'])
    expect(await texts('odoo', '--grep', 'err.r: "', '--cluster', 'all')).toEqual(['error: "no way"'])
    expect(await texts('odoo', '--cluster', 'all', '--limit', '1')).toHaveLength(1)
    expect(await texts('nothing', '--cluster', 'apps')).toEqual([])
    const wrong = await k8sops('logs', '--grep', '(', '--cluster', 'apps')
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('does not take the search') })
  })

  it('are followed on all clusters until Ctrl-C', async () => {
    const child = spawn(process.execPath, [program, 'logs', '--follow', '--cluster', 'all', '--since', '1s'], {
      cwd: repositoryRoot,
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const seen: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    createInterface({ input: child.stdout }).on('line', (text) => {
      seen.push(text)
      if (seen.some((one) => one.includes('from apps')) && seen.some((one) => one.includes('from infra'))) resolve()
    })
    // Until it listens, nobody knows of it: what is said is said again.
    const saying = setInterval(
      () => void say(line('apps', 'odoo-1', 'from apps'), line('infra', 'odoo-1', 'from infra')),
      500,
    )
    await promise.finally(() => clearInterval(saying))
    const ended = once(child, 'exit')
    child.kill('SIGINT')
    const [code] = await ended
    expect(code).toBe(130)
    expect(seen.find((one) => one.includes('from infra'))).toMatch(/^\S+ infra business\/odoo-1 odoo: from infra$/)
  })
})

describe('alerts', () => {
  const fire = async (...alerts: { [label: string]: string }[]) => {
    const body = JSON.stringify(alerts.map((labels) => ({ labels, annotations: { summary: 'a pod restarts' } })))
    const { url } = programs[2] as Program
    await fetch(`${url}/api/v2/alerts`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  }

  it('are listed, silenced through the API server with lines that can be pasted, and woken again', async () => {
    await fire(
      { alertname: 'KubePodCrashLooping', severity: 'warning', cluster: 'apps' },
      { alertname: 'KubePodCrashLooping', severity: 'warning', cluster: 'infra' },
      { alertname: 'Watchdog', severity: 'none', cluster: 'infra' },
    )
    const loud = async (of: string) =>
      itemsOf(await k8sops('alerts', 'list', '--cluster', of, '-o', 'json')).map(({ name }) => name)
    expect(await loud('apps')).toEqual(['KubePodCrashLooping'])

    const proxyPath = `/api/v1/namespaces/${namespace}/services/vmalertmanager-stack:http/proxy`
    const path = { home: 'apps', context: 'apps', proxyPath }
    const basis = { commit: '', digest: '', observed: {} }
    const matchers = ['alertname="KubePodCrashLooping"', 'cluster="apps"']
    const until = new Date(Date.now() + 60_000).toISOString()
    await runPipeline(
      planSilence({ ...path, matchers, by: 'jane@desk', reason: "it's known", until, note: 'n1' }, basis),
    )
    expect(await loud('apps')).toEqual([])
    expect(await loud('infra')).toEqual(['KubePodCrashLooping'])
    const all = await k8sops('alerts', 'list', '--all', '--cluster', 'apps', '-o', 'json')
    const { silences } = JSON.parse(all.stdout) as { silences: { id: string; by: string; comment: string }[] }
    expect(silences).toMatchObject([{ by: 'jane@desk', comment: "it's known [n1]" }])

    await runPipeline(planSilenceEnd({ ...path, id: silences[0]?.id ?? '' }, basis))
    expect(await loud('apps')).toEqual(['KubePodCrashLooping'])
  })

  it('say so when nobody stands for the pod any more', async () => {
    pods.stand(standing.get('vmalertmanager-stack') ?? '')
    const gone = await k8sops('alerts', 'list', '--cluster', 'apps')
    expect(gone.code).toBe(4)
    expect(gone.stderr).toContain('Alertmanager (observability/vmalertmanager-stack) does not answer')
    expect(gone.stderr).toContain('kubectl get --raw')
  })
})

/** What a step does, as a shell would. */
async function runPipeline({ steps }: ReturnType<typeof planSilence>): Promise<void> {
  const [step] = steps
  if (step?.action.kind !== 'exec') throw new Error('no command')
  let input = ''
  for (const { tool, args } of step.action.pipeline) {
    const [file, before] = tool === 'k8sops' ? [process.execPath, [program]] : [resolveTool(tool)?.path ?? tool, []]
    const child = spawn(file, [...before, ...args], {
      cwd: repositoryRoot,
      env: environment(),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    child.stdin.end(input)
    const [output, errors, [code]] = await Promise.all([
      child.stdout.toArray(),
      child.stderr.toArray(),
      once(child, 'exit'),
    ])
    if (code !== 0) throw new Error(`${tool} ${args.join(' ')}: ${Buffer.concat(errors as Buffer[])}`)
    input = Buffer.concat(output as Buffer[]).toString()
  }
}
