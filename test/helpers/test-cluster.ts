/** A real control plane without machines (etcd, API server, controller manager, scheduler, kwok nodes) for tests of the parts that work on it. */
import { execFile } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import {
  apiServerArgs,
  controllerManagerArgs,
  kwokArgs,
  schedulerArgs,
} from '../../src/lib/lab/control-plane/components.ts'
import { adminKubeconfigFile, writeControlPlaneFiles } from '../../src/lib/lab/control-plane/configuration.ts'
import { coreStageFiles, loadStages } from '../../src/lib/lab/nodes/stages.ts'
import { issueCertificate, newAuthority } from '../../src/lib/lab/talos/certificates.ts'
import type { ChildProcess, MachineConfig } from '../../src/lib/lab/types.ts'
import { type StubLab, stubLab } from './stub-lab.ts'

const run = promisify(execFile)
/** Tools that it consists of, and is asked with. */
export const clusterTools = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl', 'kwok']

export interface TestCluster {
  lab: StubLab
  /** Runs kubectl as administrator; throws with its stderr. */
  kubectl(...args: string[]): Promise<string>
  /** `kubectl apply --server-side -f -` of objects. */
  apply(...objects: object[]): Promise<void>
  get<T = Record<string, unknown>>(...args: string[]): Promise<T>
  /** Polls until `probe` gives something; throws with what it was about after the deadline. */
  until<T>(what: string, probe: () => Promise<T | undefined | false>, seconds?: number): Promise<T>
  stop(): Promise<void>
}

/** Three Ready worker nodes. Takes about six seconds. */
export async function startTestCluster(
  dir: string,
  number: number,
  tools: Record<string, string>,
): Promise<TestCluster> {
  const lab = withKubeconfig(stubLab(dir, number, tools), dir)
  const { spec } = lab
  const config = await clusterConfig(spec.vip)
  await writeControlPlaneFiles(spec, config)
  const etcd = { crt: config.ca.etcd?.crt ?? '', key: config.ca.etcd?.key ?? '' }
  const server = await issueCertificate(etcd, { subject: 'CN=etcd', ips: [spec.base], usage: 'peer', days: 1 })
  const file = (name: string) => join(dir, 'control-plane', name)
  await Promise.all([writeFile(file('etcd.crt'), server.crt), writeFile(file('etcd.key'), server.key)])
  const children: ChildProcess[] = []
  const start = (name: string, args: string[]) => {
    const child = lab.spawn(name, tools[name] ?? name, args)
    children.push(child)
    return child
  }
  const peer = `https://${spec.base}:2380`
  const client = `https://${spec.base}:2379`
  start('etcd', [
    '--name=n',
    `--data-dir=${join(dir, 'etcd')}`,
    '--unsafe-no-fsync',
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=n=${peer}`,
    `--cert-file=${file('etcd.crt')}`,
    `--key-file=${file('etcd.key')}`,
    `--trusted-ca-file=${file('etcd-ca.crt')}`,
    '--client-cert-auth',
    `--peer-cert-file=${file('etcd.crt')}`,
    `--peer-key-file=${file('etcd.key')}`,
    `--peer-trusted-ca-file=${file('etcd-ca.crt')}`,
    '--log-level=warn',
  ])
  start('kube-apiserver', apiServerArgs(spec, config, '10.25.13.11'))

  const kubectl = async (...args: string[]) => {
    const { stdout } = await run(tools.kubectl ?? 'kubectl', ['--kubeconfig', lab.adminKubeconfig, ...args], {
      maxBuffer: 64 * 1024 * 1024,
      env: { PATH: process.env.PATH, HOME: dir },
    })
    return stdout
  }
  const until: TestCluster['until'] = async (what, probe, seconds = 30) => {
    const deadline = Date.now() + seconds * 1000
    let last: unknown
    while (Date.now() < deadline) {
      const asked = Date.now()
      const value = await probe().catch((error: Error) => {
        last = error.message
      })
      if (value) return value as never
      // No more than half of the time: what asks takes the processor from what is waited for.
      await delay(Math.max(150, Date.now() - asked))
    }
    throw new Error(`not within ${seconds} s: ${what}${last ? ` (${last})` : ''}\n${lab.logs.slice(-25).join('\n')}`)
  }
  const cluster: TestCluster = {
    lab,
    kubectl,
    async apply(...objects) {
      const path = join(dir, `apply-${randomBytes(4).toString('hex')}.json`)
      await writeFile(path, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
      await kubectl('apply', '--server-side', '--force-conflicts', '-f', path)
    },
    async get(...args) {
      return JSON.parse(await kubectl('get', '-o', 'json', ...args))
    },
    until,
    async stop() {
      for (const child of [...children].reverse()) child.kill('SIGKILL')
      await Promise.all(children.map(({ exited }) => exited))
    },
  }
  try {
    await until('API server ready', () => kubectl('get', '--raw', '/readyz'))
    start('kube-controller-manager', controllerManagerArgs(spec, config))
    start('kube-scheduler', schedulerArgs(spec, config))
    // At the lab's pace, as the supervisor applies them.
    const [crd, ...stages] = await loadStages(['stage-crd.yaml', ...(await coreStageFiles())], spec.pace)
    await cluster.apply(crd ?? {})
    await kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s')
    await until('the API server serves Stages', () => cluster.apply(...stages).then(() => true))
    start('kwok', kwokArgs(spec))
    await cluster.apply(...[1, 2, 3].map(node))
    await kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=30s')
    lab.announceApi()
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

function withKubeconfig(lab: StubLab, dir: string): StubLab {
  return Object.assign(lab, { adminKubeconfig: adminKubeconfigFile(dir) })
}

async function clusterConfig(vip: string): Promise<MachineConfig> {
  const [talos, kubernetes, aggregator, etcd] = await Promise.all(
    ['talos', 'kubernetes', 'aggregator', 'etcd'].map((name) => newAuthority(`CN=${name}`)),
  )
  if (!talos || !kubernetes || !aggregator || !etcd) throw new Error('no certificate authorities')
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return {
    source: '',
    hostname: 'test',
    role: 'controlplane',
    installImage: '',
    kubernetesVersion: 'v1.35.4',
    clusterName: 'apps',
    endpoint: `https://${vip}:6443`,
    vip,
    podSubnets: ['10.44.0.0/16'],
    serviceSubnets: ['10.45.0.0/16'],
    ca: { talos, kubernetes, aggregator, etcd },
    serviceAccountKey: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    secretboxEncryptionSecret: randomBytes(32).toString('base64'),
    document: {},
  }
}

function node(index: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: `worker${index}`,
      labels: { 'kubernetes.io/os': 'linux', 'kubernetes.io/hostname': `worker${index}`, 'lab.k8sops/power': 'on' },
      annotations: {
        'lab.k8sops/gen': '1',
        'lab.k8sops/ready': 'True',
        'lab.k8sops/message': 'kubelet is posting ready status',
        'lab.k8sops/ip': `10.25.13.${20 + index}`,
        'lab.k8sops/boot-id': 'boot',
        'lab.k8sops/kernel': '6.18.1-talos',
        'lab.k8sops/os-image': 'Talos (v1.12.0)',
        'lab.k8sops/kubelet': 'v1.35.4',
        'lab.k8sops/containerd': 'containerd://2.1.6',
      },
    },
  }
}

/** A git repository in `<dir>/repo` with these files, committed on `main` and `release`. */
export async function makeRepository(dir: string, files: Record<string, string>): Promise<void> {
  const root = join(dir, 'repo')
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
  }
  await git(root, 'init', '--quiet', '--initial-branch=main')
  await commit(root, 'first')
  await git(root, 'branch', 'release')
}

export async function commit(root: string, message: string): Promise<void> {
  await git(root, 'add', '--all')
  await git(root, 'commit', '--quiet', '--message', message)
}

async function git(root: string, ...args: string[]): Promise<void> {
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@lab', '-c', 'commit.gpgsign=false']
  await run('git', ['-C', root, ...identity, ...args])
}

export const readText = (path: string): Promise<string> => readFile(path, 'utf8')
