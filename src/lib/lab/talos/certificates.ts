/** X.509 certificates of simulated machines, issued as Talos issues them (controllers/secrets/api.go, v1.12.0). */
import 'reflect-metadata'
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

x509.cryptoProvider.set(webcrypto)

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  crt: string
  key: string
}

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const ed25519 = { name: 'Ed25519' } as const
const serverAuth = '1.3.6.1.5.5.7.3.1'
const clientAuth = '1.3.6.1.5.5.7.3.2'
const usages = { server: [serverAuth], client: [clientAuth], peer: [serverAuth, clientAuth] }
const day = 24 * 3_600_000

export interface Leaf {
  /** Distinguished name, e.g. `O=system:masters, CN=admin`; may be empty. */
  subject: string
  ips?: string[]
  dnsNames?: string[]
  /** `peer`: both, as etcd members are to each other. */
  usage: 'server' | 'client' | 'peer'
  days: number
  /** Milliseconds that the issuer's clock is ahead. */
  clockOffsetMs?: number
}

/**
 * Issues a certificate with a new P-256 key.
 * @param ca PEM; Talos writes Ed25519 keys under the label `ED25519 PRIVATE KEY`, which is PKCS#8 all the same
 */
export async function issueCertificate(ca: KeyPair, leaf: Leaf): Promise<KeyPair> {
  const pem = ca.key.replaceAll('ED25519 PRIVATE KEY', 'PRIVATE KEY')
  const key = createPrivateKey(pem)
  const algorithm = key.asymmetricKeyType === 'ed25519' ? ed25519 : ecdsa
  const der = key.export({ type: 'pkcs8', format: 'der' })
  const signingKey = await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), algorithm, false, ['sign'])
  const authority = new x509.X509Certificate(ca.crt)
  const pair = await newKey()
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(leaf.days, leaf.clockOffsetMs),
    serialNumber: serialNumber(),
    subject: leaf.subject,
    issuer: authority.subject,
    signingKey: signingKey,
    publicKey: pair.publicKey,
    signingAlgorithm: algorithm,
    extensions: leafExtensions(leaf),
  })
  return { crt: pemOf(certificate), key: await privateKeyPem(pair) }
}

/** A certificate that signs itself, as the maintenance service shows it. */
export async function selfSignedCertificate(leaf: Leaf): Promise<KeyPair> {
  return selfSigned(leaf.subject, leaf.days, leafExtensions(leaf))
}

/** A new certificate authority, e.g. somebody else's. */
export async function newAuthority(subject: string): Promise<KeyPair> {
  return selfSigned(subject, 3650, [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
  ])
}

/** SHA-256 over the DER of a certificate, in hex: two machines are of one PKI when it is equal. */
export async function fingerprint(crt: string): Promise<string> {
  return Buffer.from(await new x509.X509Certificate(crt).getThumbprint('SHA-256')).toString('hex')
}

async function selfSigned(subject: string, days: number, extensions: x509.Extension[]): Promise<KeyPair> {
  const keys = await newKey()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(days),
    serialNumber: serialNumber(),
    name: subject,
    keys: keys,
    signingAlgorithm: ecdsa,
    extensions,
  })
  return { crt: pemOf(certificate), key: await privateKeyPem(keys) }
}

function leafExtensions(leaf: Leaf): x509.Extension[] {
  const names: x509.JsonGeneralNames = [
    ...(leaf.ips ?? []).map((value) => ({ type: 'ip' as const, value })),
    ...(leaf.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
  ]
  return [
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension(usages[leaf.usage]),
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
  ]
}

function validity(days: number, clockOffsetMs = 0): { notBefore: Date; notAfter: Date } {
  const now = Date.now() + clockOffsetMs
  return { notBefore: new Date(now - 3_600_000), notAfter: new Date(now + days * day) }
}

/** Positive, as RFC 5280 wants it: the first bit is cleared. */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  return bytes.toString('hex')
}

function newKey(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}

async function privateKeyPem(pair: webcrypto.CryptoKeyPair): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', pair.privateKey))
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString()
}
