/** Makes the directory of a lab: the repository's copy with its own keys and addresses, tools, environment, lab.json. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readRepositoryFiles } from '../../config/files.ts'
import { addresses } from '../../config/interfaces.ts'
import type { Repository } from '../../config/load.ts'
import { ConfigError } from '../../errors.ts'
import { layout } from '../../repo/layout.ts'
import type { Cluster } from '../../types.ts'
import { baseAddress, mappedAddress } from '../numbers.ts'
import { type LabRecord, writeRecord } from '../record.ts'
import { confirmFiles, copyWorkingTree, mapAddresses, rewriteFiles, talosFiles, withoutConfirmMarks } from './copy.ts'
import { encryptFiles, generateTalosSecrets, makeAgeKey, replaceRecipients } from './encryption.ts'
import { binDir, labEnvironment } from './environment.ts'
import { hardwareOf } from './hardware.ts'
import { type OpSettings, opScript, opSettingsFile } from './op.ts'
import { commitAll, headOf } from './repository.ts'

/** Windows of "stable for" shrink along with boots: half a minute becomes three seconds at pace 1. */
const stableFor = 0.1

export interface MaterialiseOptions {
  /** Read and found sound: the copy breaks rules about addresses on purpose. */
  repository: Repository
  cluster: Cluster
  name: string
  number: number
  dir: string
  pace: number
  /** Absolute paths of every pinned binary that the lab or a run in it may call. */
  tools: Record<string, string>
  env: NodeJS.ProcessEnv
}

/**
 * @returns the record as written to `<dir>/lab.json`; no process has been started
 * @throws UsageError when the repository is no git work tree, ToolError when sops refuses a file
 */
export async function materialise(options: MaterialiseOptions): Promise<LabRecord> {
  const { repository, cluster, number, dir, tools } = options
  const root = join(dir, 'repo')
  await rm(dir, { recursive: true, force: true })
  await mkdir(join(root, '.git', 'info'), { recursive: true, mode: 0o700 })
  await chmod(dir, 0o700)

  // RSA-4096 for the service account key makes this the longest part (about 1 s), so it goes first.
  const talosSecrets = generateTalosSecrets(tool(tools, 'talhelper'))
  talosSecrets.catch(() => {})
  const key = makeAgeKey(dir, tool(tools, 'age-keygen'))
  key.catch(() => {})

  const mapping = addressMapping(repository, cluster, number, await talconfigOf(repository, cluster.name))
  const paths = await copyWorkingTree(repository.root, root)
  await rewriteFiles(root, talosFiles(paths, cluster.name), (_, text) => mapAddresses(text, mapping))
  await rewriteFiles(root, confirmFiles(paths), (_, text) => withoutConfirmMarks(text))
  const { recipient, identity } = await key
  await replaceRecipients(root, recipient)
  const seed = randomBytes(32).toString('hex')
  const encrypted = await encryptFiles({
    root,
    paths,
    cluster: cluster.name,
    talosSecrets: await talosSecrets,
    seed,
    sops: tool(tools, 'sops'),
  })
  await installTools(dir, tools, { seed, ageKeyReference: repository.ageKey, ageIdentity: identity })

  const branches = [...new Set(['main', 'release', ...repository.clusters.map(({ follows }) => follows)])]
  await commitAll(root, branches, `Materialised from ${repository.root} at ${await headOf(repository.root)}`)

  const record = await recordOf(options, root, mapping, encrypted.length - 1)
  await writeRecord(record)
  return record
}

async function talconfigOf(repository: Repository, cluster: string) {
  const files = await readRepositoryFiles(repository.root)
  const talconfig = files.clusters.find(({ name }) => name === cluster)?.talconfig
  // The repository was read and checked before; only a file that changed since then gets here.
  if (!talconfig) throw new ConfigError(`${layout.talconfig(cluster)} can't be read`, files.problems)
  return talconfig
}

/** Everything that is dialled, by its real address. */
function addressMapping(
  repository: Repository,
  cluster: Cluster,
  number: number,
  talconfig: Awaited<ReturnType<typeof talconfigOf>>,
): Map<string, string> {
  const dialled = [...talconfig.nodes.flatMap(addresses), cluster.vip].filter((address) =>
    /^\d+(\.\d+){3}$/.test(address),
  )
  const mapping = new Map(dialled.map((address) => [address, mappedAddress(address, number)]))
  const clash = [...mapping].find(([, mapped]) => mapped === baseAddress(number))
  const twice = [...mapping].find(
    ([real, mapped], index, all) => all.findIndex(([, other]) => other === mapped) !== index && real,
  )
  if (clash || twice) {
    throw new ConfigError(`addresses of cluster ${cluster.name} can't be mapped to loopback`, [
      {
        file: layout.talconfig(cluster.name),
        line: 1,
        message: `the lab keeps the last octet of every address, so ${(clash ?? twice)?.[0]} of ${repository.root} must not end in .1 or like another one`,
      },
    ])
  }
  return mapping
}

/** `<dir>/bin`: the pinned tools by name, and the stand-in for `op`, in front of everything else on PATH. */
async function installTools(dir: string, tools: Record<string, string>, op: OpSettings): Promise<void> {
  await mkdir(binDir(dir), { recursive: true })
  for (const [name, path] of Object.entries(tools)) await symlink(path, join(binDir(dir), name))
  await writeFile(opSettingsFile(dir), JSON.stringify(op), { mode: 0o600 })
  await writeFile(join(binDir(dir), 'op'), opScript(dir), { mode: 0o755 })
}

async function recordOf(
  options: MaterialiseOptions,
  root: string,
  mapping: Map<string, string>,
  standIns: number,
): Promise<LabRecord> {
  const { repository, cluster, name, number, dir, pace, tools } = options
  const talconfig = await talconfigOf(repository, cluster.name)
  const base = baseAddress(number)
  const mapped = (address: string) => mapping.get(address) ?? address
  const kubeconfig = join(dir, 'kubeconfig')
  const nodes = talconfig.nodes.map((node) => ({ node, real: addresses(node)[0] ?? '' }))
  return {
    apiVersion: 'k8sops.dev/v1',
    kind: 'Lab',
    // A path is unique on this machine and found again after a crash; the random end tells one life of it from the next.
    id: `${dir}#${randomBytes(4).toString('hex')}`,
    name,
    cluster: cluster.name,
    number,
    dir,
    root,
    base,
    vip: mapped(cluster.vip),
    machines: nodes.map(({ node, real }) => ({
      address: mapped(real),
      nodeAddress: real,
      ...hardwareOf(talconfig, node),
    })),
    hostnames: Object.fromEntries(nodes.map(({ node, real }) => [mapped(real), node.hostname])),
    talosVersion: cluster.talosVersion,
    kubernetesVersion: cluster.kubernetesVersion,
    tools,
    pace,
    source: repository.root,
    env: labEnvironment({ dir, base, root, cluster: cluster.name, kubeconfig }, options.env.PATH ?? ''),
    kubeconfig,
    context: cluster.context,
    talosconfig: layout.talosconfig(cluster.name),
    createdAt: new Date().toISOString(),
    // The Talos secrets are none: they are real ones, of a cluster that exists only here.
    standIns,
    timeScale: pace * stableFor,
  }
}

function tool(tools: Record<string, string>, name: string): string {
  const path = tools[name]
  if (!path) throw new ConfigError(`${name} is missing`, [], { next: 'npm run setup' })
  return path
}
