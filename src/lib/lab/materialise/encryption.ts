/** The lab's own keys: an age key, the Talos secrets of a throw-away cluster, and everything encrypted to that key. */
import { execFile, spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ToolError } from '../../errors.ts'
import { layout } from '../../repo/layout.ts'
import { firstOnPath } from '../../tools/resolve.ts'
import { dyingWithParent } from '../processes.ts'
import { standIn } from './stand-ins.ts'

const run = promisify(execFile)

export interface AgeKey {
  /** `age1...` */
  recipient: string
  /** `AGE-SECRET-KEY-1...` */
  identity: string
}

export const ageKeyFile = (dir: string) => join(dir, 'secrets', 'age.key')

/** Makes the key with age-keygen and keeps it in the lab's directory. */
export async function makeAgeKey(dir: string, ageKeygen: string): Promise<AgeKey> {
  const file = ageKeyFile(dir)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await run(ageKeygen, ['-o', file])
  return readAgeKey(dir)
}

/** The key that `makeAgeKey` made. */
export async function readAgeKey(dir: string): Promise<AgeKey> {
  const text = await readFile(ageKeyFile(dir), 'utf8')
  const recipient = /age1[0-9a-z]{58}/.exec(text)?.[0]
  const identity = /AGE-SECRET-KEY-1[0-9A-Z]{58}/.exec(text)?.[0]
  if (!recipient || !identity) throw new Error(`${ageKeyFile(dir)} holds no age key`)
  return { recipient, identity }
}

/** Puts the lab's recipient in the place of every other one in the copy's .sops.yaml. */
export async function replaceRecipients(root: string, recipient: string): Promise<void> {
  const file = join(root, layout.sopsConfig)
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace(/age1[0-9a-z]{58}/g, recipient))
}

/** A new cluster's secrets as `talhelper gensecret` prints them; they stay in memory until sops has encrypted them. */
export async function generateTalosSecrets(talhelper: string): Promise<string> {
  // It works for a second or two: a killed `lab up` must not leave it behind.
  const { file, args, pipe } = dyingWithParent(firstOnPath('setpriv'), talhelper, ['gensecret'])
  const command: [string, string[]] = pipe ? [talhelper, ['gensecret']] : [file, args]
  const { stdout } = await run(...command, { maxBuffer: 1024 * 1024 })
  return stdout
}

/** What a cluster's talsecret becomes, and stand-ins for all other encrypted files. */
export async function encryptFiles(options: {
  root: string
  /** Relative to root. */
  paths: string[]
  cluster: string
  talosSecrets: string
  seed: string
  sops: string
}): Promise<string[]> {
  const { root, cluster, seed, sops } = options
  const own = layout.talsecret(cluster)
  const others = options.paths.filter(
    (path) => path.endsWith('.sops.yaml') && path !== layout.sopsConfig && path !== own,
  )
  const encrypt = async (path: string, plain: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), await encrypted(sops, root, path, plain))
  }
  await Promise.all([
    encrypt(own, options.talosSecrets),
    ...others.map(async (path) => encrypt(path, standIn(await readFile(join(root, path), 'utf8'), seed, path))),
  ])
  return [own, ...others]
}

/** The plain text goes through a pipe, so that no secret is ever on disk. */
async function encrypted(sops: string, root: string, path: string, plain: string): Promise<string> {
  const args = ['--config', join(root, layout.sopsConfig), 'encrypt', '--filename-override', path]
  const child = spawn(sops, args, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', resolve)
  child.stdin.end(plain)
  const code = await promise
  if (code === 0) return Buffer.concat(out).toString('utf8')
  throw new ToolError(`sops could not encrypt ${path} for the lab`, {
    command: `sops encrypt --filename-override ${path}`,
    output: Buffer.concat(err).toString('utf8').trim(),
    next: `check that a creation rule of ${layout.sopsConfig} matches ${path}`,
  })
}
