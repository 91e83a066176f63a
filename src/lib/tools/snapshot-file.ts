/**
 * etcd snapshots as files: `<cluster>-<time>.db` with `<cluster>-<time>.db.sha256` beside it. etcd ends a snapshot with the
 * SHA-256 of everything before, so a file tells by itself whether it is whole; our digest is for `sha256sum -c`, and shows
 * that nobody changed the file since.
 */
import { createHash } from 'node:crypto'
import { chmod, copyFile, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { UsageError } from '../errors.ts'

const trailerBytes = 32
/** bbolt's pages, so that a snapshot's size is a multiple of it, and then the trailer. */
const pageBytes = 512

export interface Snapshot {
  bytes: number
  /** Hex, over the whole file. */
  sha256: string
  /** When it was written. */
  takenAt: Date
}

export const digestFile = (file: string) => `${file}.sha256`

/**
 * Reads a snapshot whole and checks the checksum at its end, and the digest beside it when there is one.
 * @throws UsageError that says what is wrong with it
 */
export async function readSnapshot(file: string): Promise<Snapshot> {
  const wrong = (what: string) => new UsageError(`${file} ${what}`, { next: 'k8sops talos etcd snapshot' })
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile()) throw wrong('does not exist')
  if (found.size <= trailerBytes || found.size % pageBytes !== trailerBytes)
    throw wrong(`is no whole etcd snapshot: ${found.size} bytes`)
  const whole = createHash('sha256')
  const content = createHash('sha256')
  const handle = await open(file)
  let trailer = ''
  try {
    for await (const chunk of handle.createReadStream({ end: found.size - trailerBytes - 1, autoClose: false })) {
      whole.update(chunk)
      content.update(chunk)
    }
    const { buffer } = await handle.read(Buffer.alloc(trailerBytes), 0, trailerBytes, found.size - trailerBytes)
    whole.update(buffer)
    trailer = buffer.toString('hex')
  } finally {
    await handle.close()
  }
  if (content.digest('hex') !== trailer) throw wrong('is damaged: the checksum at its end is that of another content')
  const sha256 = whole.digest('hex')
  const noted = await readFile(digestFile(file), 'utf8').catch(() => undefined)
  if (noted !== undefined && noted.split(/\s/)[0] !== sha256)
    throw wrong(`is not what ${basename(digestFile(file))} was written for`)
  return { bytes: found.size, sha256, takenAt: found.mtime }
}

/**
 * Moves a snapshot to where it is kept: whole or not at all, its digest first seen when it is. Of its cluster's snapshots
 * in that directory the newest `keep` stay.
 * @returns the snapshot and the names of those that were removed
 * @throws UsageError when it is not whole
 */
export async function keepSnapshot(
  file: string,
  destination: string,
  keep: number,
): Promise<{ snapshot: Snapshot; removed: string[] }> {
  const { sha256 } = await readSnapshot(file)
  const directory = dirname(destination)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const draft = join(directory, `.${basename(destination)}.${process.pid}`)
  try {
    // A copy, because the directories may be on different file systems.
    await copyFile(file, draft)
    await chmod(draft, 0o600)
    await sync(draft)
    await writeDigest(destination, sha256)
    await rename(draft, destination)
    await sync(directory)
  } finally {
    await rm(draft, { force: true })
  }
  const snapshot = await readSnapshot(destination)
  await rm(file)
  return { snapshot, removed: await removeOlder(destination, keep) }
}

async function writeDigest(destination: string, sha256: string): Promise<void> {
  const draft = `${digestFile(destination)}.${process.pid}`
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.writeFile(`${sha256}  ${basename(destination)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, digestFile(destination))
}

/** Only files named like the one that was just kept; that one stays, whatever the clock said. */
async function removeOlder(destination: string, keep: number): Promise<string[]> {
  const directory = dirname(destination)
  const own = /^(.*)-\d{8}T\d{6}Z\.db$/.exec(basename(destination))?.[1]
  if (own === undefined) return []
  const isSibling = (name: string) =>
    name.startsWith(`${own}-`) &&
    /^\d{8}T\d{6}Z\.db$/.test(name.slice(own.length + 1)) &&
    name !== basename(destination)
  const others = (await readdir(directory)).filter(isSibling).sort()
  const removed = others.slice(0, Math.max(0, others.length - Math.max(0, keep - 1)))
  for (const name of removed) {
    await rm(join(directory, name), { force: true })
    await rm(digestFile(join(directory, name)), { force: true })
  }
  return removed
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
