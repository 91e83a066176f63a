/** The lab's own certificate authority for outside hosts: whoever trusts it sees the lab in place of every registry. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createSecureContext, type SecureContext } from 'node:tls'
import { issueCertificate, type KeyPair, newAuthority } from '../talos/certificates.ts'

export interface HostCertificates {
  /** PEM of the authority, what SSL_CERT_FILE names. */
  authority: string
  /** The TLS context that answers as `host`; made once per host. */
  contextFor(host: string): Promise<SecureContext>
}

/**
 * The authority in `<dir>/pki/proxy-ca.{crt,key}`, made when it isn't there yet. It stays the same over restarts of the
 * supervisor, because commands of the lab may be holding the file. Its key never leaves the lab's directory.
 */
export async function hostCertificates(dir: string): Promise<HostCertificates> {
  const authority = await openAuthority(join(dir, 'pki'))
  const contexts = new Map<string, Promise<SecureContext>>()
  const issue = async (host: string): Promise<SecureContext> => {
    const leaf = await issueCertificate(authority, {
      subject: `CN=${host}`,
      dnsNames: [host],
      usage: 'server',
      days: 30,
    })
    return createSecureContext({ cert: leaf.crt, key: leaf.key })
  }
  return {
    authority: authority.crt,
    contextFor(host) {
      let context = contexts.get(host)
      if (!context) {
        context = issue(host)
        contexts.set(host, context)
      }
      return context
    },
  }
}

async function openAuthority(pki: string): Promise<KeyPair> {
  const files = { crt: join(pki, 'proxy-ca.crt'), key: join(pki, 'proxy-ca.key') }
  const [crt, key] = await Promise.all([files.crt, files.key].map((file) => readFile(file, 'utf8').catch(() => '')))
  if (crt && key) return { crt, key }
  const made = await newAuthority('CN=k8sops lab, O=nobody may trust this')
  await mkdir(dirname(files.crt), { recursive: true })
  await writeFile(files.key, made.key, { mode: 0o600 })
  await writeFile(files.crt, made.crt)
  return made
}
