/**
 * Alerts of a cluster, from its status to a silence and back: the real Alertmanager stands for a pod of the lab, and everything goes through
 * the lab's API server and its proxy.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { callSupervisor } from '../../src/lib/lab/control-socket.ts'
import { eventually, repositoryRoot } from '../helpers/lab.ts'
import { type LabCli, labCli } from '../helpers/lab-cli.ts'
import { sharedLab } from '../helpers/shared-lab.ts'
import { tool } from '../helpers/talos-fleet.ts'

const namespace = 'lab-alerts'
const labels = { 'app.kubernetes.io/name': 'vmalertmanager', 'app.kubernetes.io/instance': 'lab' }
const metadata = { name: 'vmalertmanager-lab', namespace, labels }
const port = 9093
const dir = mkdtempSync(join(tmpdir(), 'k8sops-alerts-'))
let lab: LabCli
let kubectl: (...args: string[]) => Promise<string>
let alertmanager: { url: string; stop: () => Promise<unknown> }
let pod = ''

beforeAll(async () => {
  const { record, env, flags } = await sharedLab()
  lab = labCli(record, env)
  const program = join(repositoryRoot, 'bin/k8sops.js')
  kubectl = async (...args) => {
    const words = [program, 'lab', 'exec', ...flags, '--', 'kubectl', ...args]
    return (await promisify(execFile)(process.execPath, words, { env })).stdout
  }
  alertmanager = await startAlertmanager()
  await kubectl('create', 'namespace', namespace)
  await eventually(
    () => kubectl('get', 'serviceaccount', 'default', '-n', namespace).catch(() => ''),
    (text) => text !== '',
    30,
  )
  const containers = [{ name: 'main', image: 'none', ports: [{ name: 'http', containerPort: port }] }]
  const spec = { nodeName: Object.values(record.hostnames).find((name) => name.includes('-w')), containers }
  const file = join(dir, 'manifests.json')
  const items = [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { clusterIP: 'None', selector: labels, ports: [{ name: 'http', port }] },
    },
    { apiVersion: 'v1', kind: 'Pod', metadata, spec: { ...spec, tolerations: [{ operator: 'Exists' }] } },
  ]
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  await kubectl('apply', '-f', file)
  const address = await eventually(
    () => kubectl('get', 'endpoints', '-n', namespace, metadata.name, '-o', 'jsonpath={.subsets[0].addresses[0].ip}'),
    (ip) => ip !== '',
    60,
  )
  pod = `${address}:${port}`
  await callSupervisor(record.dir, 'POST', '/pods', { pod, at: alertmanager.url.replace('http://', '') })
})

afterAll(async () => {
  if (pod) await callSupervisor(lab.record.dir, 'POST', '/pods', { pod })
  await kubectl?.('delete', 'namespace', namespace, '--wait=true')
  await alertmanager?.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function startAlertmanager(): Promise<{ url: string; stop: () => Promise<unknown> }> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const listen = `127.0.0.1:${(probe.address() as AddressInfo).port}`
  probe.close()
  writeFileSync(join(dir, 'config.yaml'), 'route: { receiver: none }\nreceivers: [{ name: none }]\n')
  const args = [
    '--config.file=config.yaml',
    '--storage.path=data',
    `--web.listen-address=${listen}`,
    '--cluster.listen-address=',
  ]
  const child = spawn(tool('alertmanager'), args, { cwd: dir, stdio: 'ignore' })
  const url = `http://${listen}`
  await eventually(
    async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true,
    (ready) => ready,
    20,
  )
  return {
    url,
    stop: () => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      return ended
    },
  }
}

const fire = (...alerts: { [label: string]: string }[]) =>
  fetch(`${alertmanager.url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(alerts.map((of) => ({ labels: of, annotations: { summary: 'a pod restarts' } }))),
  })

interface Row {
  name: string
  state: string
  summary: string
}

async function alertsRow(): Promise<Row | undefined> {
  const { stdout } = await lab.run(['cluster', 'status'])
  return (JSON.parse(stdout) as { items: Row[] }).items.find(({ name }) => name === 'alerts')
}

it('knows of nothing while no rule is evaluated, then what fires, then who has silenced it', async () => {
  expect(await alertsRow()).toMatchObject({
    state: 'unknown',
    summary: expect.stringContaining('Watchdog does not fire'),
  })

  const crash = { alertname: 'KubePodCrashLooping', severity: 'warning' }
  await fire({ alertname: 'Watchdog', severity: 'none', cluster: 'apps' }, { ...crash, cluster: 'apps' })
  expect(await alertsRow()).toMatchObject({ state: 'fail', summary: 'warning KubePodCrashLooping: a pod restarts' })

  const silenced = await lab.run(['alerts', 'silence', 'KubePodCrashLooping', '--for', '10m', '--reason', "it's known"])
  expect(silenced, silenced.stderr).toMatchObject({ code: 0 })
  expect(await alertsRow()).toMatchObject({ state: 'ok' })
  const all = await lab.run(['alerts', 'list', '--all'])
  const { silences } = JSON.parse(all.stdout) as { silences: { id: string; comment: string; matchers: string[] }[] }
  expect(silences).toMatchObject([{ comment: expect.stringContaining("it's known") }])
  expect(silences[0]?.matchers.toSorted()).toEqual(['alertname="KubePodCrashLooping"', 'cluster="apps"'])

  const ended = await lab.run(['alerts', 'silence', '--end', silences[0]?.id ?? ''])
  expect(ended.code).toBe(0)
  expect(await alertsRow()).toMatchObject({ state: 'fail' })
})

it('is unknown, not well, when Alertmanager is away', async () => {
  await callSupervisor(lab.record.dir, 'POST', '/pods', { pod })
  expect(await alertsRow()).toMatchObject({ state: 'unknown' })
  const listed = await lab.run(['alerts', 'list'])
  expect(listed.code).toBe(4)
  expect(listed.error?.message).toContain('does not answer')
})
