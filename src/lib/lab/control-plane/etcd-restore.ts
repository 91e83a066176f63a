/** Recovery of etcd from a snapshot, by the program that etcd has for it. */
import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { execa } from 'execa'
import type { Recovery } from '../types.ts'

export interface FirstMember {
  dataDir: string
  name: string
  /** `--initial-cluster-token` */
  token: string
  peerUrl: string
}

/**
 * Makes the data directory of a cluster of one member, as Talos does (services/etcd.go recoverFromSnapshot, v1.12.0).
 * @param etcdutl absolute path
 * @throws Error with etcdutl's last line; nothing is left behind then
 */
export async function restoreSnapshot(
  etcdutl: string,
  { file, skipHashCheck }: Recovery,
  member: FirstMember,
): Promise<void> {
  const { dataDir, name, token, peerUrl } = member
  await mkdir(dirname(dataDir), { recursive: true, mode: 0o700 })
  await rm(dataDir, { recursive: true, force: true })
  const args = [
    'snapshot',
    'restore',
    file,
    `--name=${name}`,
    `--data-dir=${dataDir}`,
    `--initial-cluster=${name}=${peerUrl}`,
    `--initial-cluster-token=${token}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    ...(skipHashCheck ? ['--skip-hash-check'] : []),
  ]
  const { exitCode, stderr } = await execa(etcdutl, args, { reject: false, timeout: 60_000 })
  if (exitCode === 0) return rm(file)
  await rm(dataDir, { recursive: true, force: true })
  throw new Error(`error recovering from snapshot: ${stderr.trim().split('\n').at(-1)}`)
}
