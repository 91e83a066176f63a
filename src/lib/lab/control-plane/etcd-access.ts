/** The certificates of a member of etcd and of whoever speaks with it, from the etcd CA of the machine config. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { issueCertificate } from '../talos/certificates.ts'
import type { EtcdMember, MachineConfig } from '../types.ts'

/**
 * Writes the member's own files into `dir`.
 * @param base the address that the members listen on
 * @returns how a client reaches it
 * @throws Error when the config holds no etcd CA
 */
export async function issueAccess(
  config: MachineConfig,
  dir: string,
  base: string,
  clientUrl: string,
): Promise<EtcdMember> {
  const ca = config.ca.etcd
  if (!ca?.key) throw new Error(`the config of ${config.hostname} holds no etcd CA`)
  const authority = { crt: ca.crt, key: ca.key }
  // etcd compares a peer's source address with its certificate, and on loopback that is 127.0.0.1.
  const names = { ips: [base, '127.0.0.1'], dnsNames: [config.hostname, 'localhost'] }
  const server = await issueCertificate(authority, {
    subject: `CN=${config.hostname}`,
    usage: 'peer',
    days: 365,
    ...names,
  })
  const client = await issueCertificate(authority, { subject: 'CN=talos', usage: 'client', days: 365 })
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await Promise.all([
    writeFile(join(dir, 'ca.crt'), ca.crt),
    writeFile(join(dir, 'server.crt'), server.crt),
    writeFile(join(dir, 'server.key'), server.key, { mode: 0o600 }),
  ])
  return { clientUrl, ca: ca.crt, cert: client.crt, key: client.key }
}
