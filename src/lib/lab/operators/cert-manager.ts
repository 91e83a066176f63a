/** cert-manager's part: issuers become Ready, Certificates become Secrets with certificates of the lab's own authority. */
import { X509Certificate } from 'node:crypto'
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { isTrue } from '../kube/conditions.ts'
import { parseDuration } from '../sources/status.ts'
import { issueCertificate, type KeyPair, newAuthority } from '../talos/certificates.ts'
import type { Lab } from '../types.ts'
import { type Operator, readObject, readSecret, ready, report, startOperator } from './operator.ts'

const apiVersion = 'cert-manager.io/v1'
/** Where cluster-scoped issuers look for their secrets (--cluster-resource-namespace). */
const clusterNamespace = 'cert-manager'
const day = 24 * 3_600_000

interface IssuerSpec {
  selfSigned?: object
  ca?: { secretName: string }
  acme?: {
    server: string
    email?: string
    privateKeySecretRef: { name: string }
    solvers?: { dns01?: { cloudflare?: { apiTokenSecretRef?: { name: string; key: string } } } }[]
  }
}

interface CertificateSpec {
  secretName: string
  issuerRef: { name: string; kind?: string }
  commonName?: string
  dnsNames?: string[]
  ipAddresses?: string[]
  isCA?: boolean
  duration?: string
  renewBefore?: string
  secretTemplate?: { labels?: Record<string, string>; annotations?: Record<string, string> }
}

export function startCertManager(lab: Lab, view: ClusterView): Operator {
  const operator = startOperator(lab, view, {
    name: 'cert-manager',
    pod: { 'app.kubernetes.io/name': 'cert-manager', 'app.kubernetes.io/component': 'controller' },
    kinds: [
      { apiVersion, kind: 'ClusterIssuer', reconcile: reconcileIssuer },
      { apiVersion, kind: 'Issuer', reconcile: reconcileIssuer },
      { apiVersion, kind: 'Certificate', reconcile: reconcileCertificate },
    ],
  })

  async function reconcileIssuer(issuer: KubeObject): Promise<number | undefined> {
    const { ca, acme, selfSigned } = issuer.spec as unknown as IssuerSpec
    const namespace = issuer.metadata.namespace ?? clusterNamespace
    if (acme) {
      const account = { namespace, name: acme.privateKeySecretRef.name }
      if (!(await readSecret(view, account.namespace, account.name))) {
        const { key } = await newAuthority(`CN=${acme.email ?? 'lab'}`)
        await view
          .writer()
          .apply(
            { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: account, stringData: { 'tls.key': key } },
            'cert-manager-clusterissuers',
          )
      }
      const message = 'The ACME account was registered with the ACME server'
      await report(view, issuer, [ready('True', 'ACMEAccountRegistered', message)], {
        acme: { uri: `${acme.server}/acct/lab`, ...(acme.email ? { lastRegisteredEmail: acme.email } : {}) },
      })
    } else if (ca) {
      const secret = await readSecret(view, namespace, ca.secretName)
      if (!secret?.data?.['tls.crt']) {
        const message = `Error getting keypair for CA issuer: secrets "${ca.secretName}" not found`
        await report(view, issuer, [ready('False', 'ErrGetKeyPair', message)])
        return 1_000
      }
      await report(view, issuer, [ready('True', 'KeyPairVerified', 'Signing CA verified')])
    } else if (selfSigned) {
      await report(view, issuer, [ready('True', 'IsReady', '')])
    } else {
      lab.log('cert-manager', `nobody plays the issuer ${issuer.metadata.name}: ${Object.keys(issuer.spec ?? {})}`)
    }
    return undefined
  }

  async function reconcileCertificate(certificate: KubeObject): Promise<number | undefined> {
    const spec = certificate.spec as unknown as CertificateSpec
    const { namespace = '', name } = certificate.metadata
    const existing = await readSecret(view, namespace, spec.secretName)
    const current = existing?.data?.['tls.crt'] ? Buffer.from(existing.data['tls.crt'], 'base64').toString('utf8') : ''
    if (isTrue(certificate, 'Ready') && covers(current, spec)) return undefined
    const waiting = await whyNotIssued(spec, namespace)
    if (waiting) {
      await report(view, certificate, [
        ready('False', 'DoesNotExist', 'Issuing certificate as Secret does not exist'),
        { type: 'Issuing', status: 'True', reason: 'DoesNotExist', message: waiting },
      ])
      return 1_000
    }
    const pair = covers(current, spec) ? undefined : await issue(spec, namespace)
    if (pair) {
      await view.writer().apply(
        {
          apiVersion: 'v1',
          kind: 'Secret',
          type: 'kubernetes.io/tls',
          metadata: { name: spec.secretName, namespace, ...secretMetadata(spec, name) },
          stringData: { 'tls.crt': pair.crt, 'tls.key': pair.key, 'ca.crt': pair.ca },
        },
        'cert-manager-certificates-issuing',
      )
    }
    await report(
      view,
      certificate,
      [ready('True', 'Ready', 'Certificate is up to date and has not expired')],
      validity(pair?.crt ?? current, spec, certificate),
    )
    // A CA issuer may be waiting for this Secret.
    operator.again()
    return undefined
  }

  async function whyNotIssued(spec: CertificateSpec, namespace: string): Promise<string | undefined> {
    const issuer = await issuerOf(spec, namespace)
    if (!issuer) return `Referenced "${spec.issuerRef.kind ?? 'Issuer'}" not found: ${spec.issuerRef.name}`
    if (!isTrue(issuer, 'Ready')) return `Issuer ${spec.issuerRef.name} is not ready`
    const { acme } = issuer.spec as unknown as IssuerSpec
    for (const { dns01 } of acme?.solvers ?? []) {
      const token = dns01?.cloudflare?.apiTokenSecretRef
      if (!token) continue
      const secret = await readSecret(view, issuer.metadata.namespace ?? clusterNamespace, token.name)
      if (!secret?.data?.[token.key]) return `error getting cloudflare secret: secret "${token.name}" not found`
    }
    return undefined
  }

  function issuerOf({ issuerRef }: CertificateSpec, namespace: string): Promise<KubeObject | undefined> {
    const kind = issuerRef.kind ?? 'Issuer'
    return readObject(view, { apiVersion, kind, name: issuerRef.name, ...(kind === 'Issuer' ? { namespace } : {}) })
  }

  async function issue(spec: CertificateSpec, namespace: string): Promise<KeyPair & { ca: string }> {
    const subject = `CN=${spec.commonName ?? spec.dnsNames?.[0] ?? 'lab'}`
    const issuer = await issuerOf(spec, namespace)
    const { ca } = (issuer?.spec ?? {}) as unknown as IssuerSpec
    if (spec.isCA) {
      const pair = await newAuthority(subject)
      return { ...pair, ca: pair.crt }
    }
    const secret = ca && (await readSecret(view, issuer?.metadata.namespace ?? clusterNamespace, ca.secretName))
    const text = (key: string) => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString('utf8')
    const authority = secret ? { crt: text('tls.crt'), key: text('tls.key') } : await newAuthority('CN=k8sops lab')
    const days = Math.max(1, Math.round((parseDuration(spec.duration) ?? 90 * day) / day))
    const names = { dnsNames: spec.dnsNames ?? [], ips: spec.ipAddresses ?? [] }
    return { ...(await issueCertificate(authority, { subject, ...names, usage: 'server', days })), ca: authority.crt }
  }

  return operator
}

function secretMetadata(spec: CertificateSpec, certificate: string) {
  const { name, kind = 'Issuer' } = spec.issuerRef
  return {
    labels: { ...spec.secretTemplate?.labels, 'controller.cert-manager.io/fao': 'true' },
    annotations: {
      ...spec.secretTemplate?.annotations,
      'cert-manager.io/certificate-name': certificate,
      'cert-manager.io/issuer-name': name,
      'cert-manager.io/issuer-kind': kind,
    },
  }
}

/** Whether a certificate (PEM, or nothing) has all the names that are asked for and isn't due for renewal. */
function covers(pem: string, spec: CertificateSpec): boolean {
  if (!pem) return false
  const certificate = new X509Certificate(pem)
  if (Date.parse(certificate.validTo) - Date.now() < (parseDuration(spec.renewBefore) ?? 30 * day)) return false
  const names = certificate.subjectAltName ?? ''
  return (spec.dnsNames ?? []).every((name) => spec.isCA || names.includes(`DNS:${name}`))
}

function validity(pem: string, spec: CertificateSpec, certificate: KubeObject) {
  const { validFrom, validTo } = new X509Certificate(pem)
  const time = (milliseconds: number) => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`
  const notAfter = Date.parse(validTo)
  return {
    notBefore: time(Date.parse(validFrom)),
    notAfter: time(notAfter),
    renewalTime: time(notAfter - (parseDuration(spec.renewBefore) ?? 30 * day)),
    revision: Number(certificate.status?.revision ?? 1),
  }
}
