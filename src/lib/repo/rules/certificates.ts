// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** Certificates: signed by whom they can be, for names that are asked for, with keys that are stated. */
import { dig, listAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const certificateRules: Rule[] = [
  {
    id: 'certificate-sound',
    demands:
      'A certificate names somebody; one that signs others is an authority (isCA), and one that signs itself is nothing else',
    why: 'cert-manager refuses one without a name; clients refuse what was signed by what is no authority',
    fix: 'dnsNames or commonName; isCA: true at the Certificate whose Secret an Issuer of type ca has',
    source: 'cert-manager 1.20',
    scope: 'any',
    check: each((cluster) => {
      const certificates = ofKind(cluster, 'Certificate.cert-manager.io')
      return [
        ...certificates.flatMap((one) => unsound(one, cluster)),
        ...ofKind(cluster, ...issuers).flatMap((one) => unsigned(one, certificates)),
      ]
    }),
  },
  {
    id: 'private-key-stated',
    demands: 'A certificate says which key it has, how large it is, and whether a renewal makes a new one',
    why: 'What cert-manager takes without it has changed from one version to the next (rotationPolicy in 1.18)',
    fix: 'privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}',
    source: 'NFR6, cert-manager 1.20',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'Certificate.cert-manager.io')
        .filter(({ release }) => !release)
        .flatMap((one) =>
          ['algorithm', 'size', 'rotationPolicy']
            .filter((key) => textAt(one.object(), `spec.privateKey.${key}`) === undefined && !isSizeless(one, key))
            .map((key) => about(one, `privateKey.${key} is unset`, ['spec', 'privateKey'])),
        ),
    ),
  },
  {
    id: 'listener-has-certificate',
    demands: 'The certificate of a gateway’s listener is for the listener’s host',
    why: 'Every client would refuse it',
    fix: 'dnsNames of the Certificate: the host, or the wildcard above it',
    source: 'Gateway API, cert-manager 1.20',
    scope: 'any',
    check: each((cluster) =>
      ofKind(cluster, 'Gateway.gateway.networking.k8s.io').flatMap((one) => strangeListeners(one, cluster)),
    ),
  },
  {
    id: 'listener-says-host',
    demands: 'A gateway’s listener with a certificate says which hosts it serves',
    why: 'Without a host it takes every name that a route claims, and answers with a certificate for others',
    fix: 'hostname: "*.${CLUSTER_DOMAIN}"',
    source: 'FR33, Gateway API',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'Gateway.gateway.networking.k8s.io')
        .filter(({ release }) => !release)
        .flatMap((one) =>
          listAt(one.object(), 'spec.listeners').flatMap((listener, index) =>
            listAt(listener, 'tls.certificateRefs').length === 0 || textAt(listener, 'hostname') !== undefined
              ? []
              : [about(one, `listener ${textAt(listener, 'name')} says no hostname`, ['spec', 'listeners', index])],
          ),
        ),
    ),
  },
]

const issuers = ['Issuer.cert-manager.io', 'ClusterIssuer.cert-manager.io']

const isSizeless = (one: RenderedObject, key: string) =>
  key === 'size' && textAt(one.object(), 'spec.privateKey.algorithm') === 'Ed25519'

function unsound(one: RenderedObject, cluster: ClusterView): Finding[] {
  const spec = dig(one.object(), 'spec')
  const isNamed =
    ['commonName', 'literalSubject'].some((key) => textAt(spec, key) !== undefined) ||
    ['dnsNames', 'ipAddresses', 'uris', 'emailAddresses', 'otherNames'].some((key) => listAt(spec, key).length > 0)
  const [kind, name] = [textAt(spec, 'issuerRef.kind') ?? 'Issuer', textAt(spec, 'issuerRef.name')]
  const issuer = ofKind(cluster, kind).find(
    (other) => other.name === name && (kind === 'ClusterIssuer' || other.namespace === one.namespace),
  )
  const isOfItself = issuer !== undefined && dig(issuer.object(), 'spec.selfSigned') !== undefined
  return [
    ...(isNamed ? [] : [about(one, 'names nobody', ['spec'])]),
    ...(isOfItself && dig(spec, 'isCA') !== true && !one.release
      ? [about(one, 'signs itself and is no authority', ['spec', 'issuerRef'])]
      : []),
  ]
}

/** An issuer of type ca, whose Secret a Certificate makes. */
function unsigned(one: RenderedObject, certificates: readonly RenderedObject[]): Finding[] {
  const secret = textAt(one.object(), 'spec.ca.secretName')
  const makers = certificates.filter(
    (other) =>
      textAt(other.object(), 'spec.secretName') === secret &&
      (one.kind === 'ClusterIssuer' || other.namespace === one.namespace),
  )
  if (secret === undefined || makers.length === 0) return []
  return makers.some((other) => dig(other.object(), 'spec.isCA') === true)
    ? []
    : [about(one, `signs with ${secret}, the certificate of no authority`, ['spec', 'ca', 'secretName'])]
}

/** A wildcard is for one label; one that is asked for is covered by itself only. */
const covers = (name: string, host: string): boolean =>
  name === host || (name.startsWith('*.') && !host.startsWith('*.') && host.slice(host.indexOf('.')) === name.slice(1))

function strangeListeners(one: RenderedObject, cluster: ClusterView): Finding[] {
  const certificates = ofKind(cluster, 'Certificate.cert-manager.io')
  return listAt(one.object(), 'spec.listeners').flatMap((listener, index) => {
    const host = textAt(listener, 'hostname')
    const names = listAt(listener, 'tls.certificateRefs').flatMap((reference) =>
      certificates
        .filter(
          (other) =>
            textAt(other.object(), 'spec.secretName') === textAt(reference, 'name') &&
            other.namespace === (textAt(reference, 'namespace') ?? one.namespace),
        )
        .map((other) => listAt(other.object(), 'spec.dnsNames').map(String)),
    )
    if (host === undefined || names.length === 0 || names.flat().some((name) => covers(name, host))) return []
    return [
      about(one, `listener ${textAt(listener, 'name')} has no certificate for ${host}`, ['spec', 'listeners', index]),
    ]
  })
}
