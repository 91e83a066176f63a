/**
 * A kubelet with `rotate-server-certificates` asks the cluster to sign the certificate that it serves with. kubernetes
 * approves no such request by itself; that is kubelet-csr-approver's work, and until it does the request stays pending.
 */
import { randomBytes, webcrypto } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openApi } from '../api.ts'
import { apiPort, controlPlaneDir } from '../control-plane/configuration.ts'
import { kubeconfigFor } from '../control-plane/kubeconfig.ts'
import { issueCertificate } from '../talos/certificates.ts'
import type { LabSpec, Machine, MachineConfig } from '../types.ts'
import { machineFields } from './node-object.ts'

/**
 * Creates the CertificateSigningRequest of a new node, if its config asks for one. It is made with the kubelet's own
 * client certificate, because an approver looks at who asks.
 */
export async function requestServingCertificate(spec: LabSpec, machine: Machine, config: MachineConfig): Promise<void> {
  const { kubelet } = machineFields(config)
  const wanted =
    kubelet?.extraArgs?.['rotate-server-certificates'] === 'true' || kubelet?.extraConfig?.serverTLSBootstrap === true
  if (!wanted) return
  const { hostname } = config
  const api = await openApi(await kubeletKubeconfig(spec, config))
  await api.create({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    // A kubelet lets the API server make the end of the name; so does every boot here.
    metadata: { name: `csr-${randomBytes(4).toString('hex')}` },
    spec: {
      request: Buffer.from(await signingRequest(hostname, machine.spec.nodeAddress)).toString('base64'),
      signerName: 'kubernetes.io/kubelet-serving',
      usages: ['digital signature', 'server auth'],
    },
  })
}

/** The certificate that the kubelet got through its bootstrap token, which every new Talos node does by itself. */
async function kubeletKubeconfig(spec: LabSpec, config: MachineConfig): Promise<string> {
  const dir = controlPlaneDir(spec.dir)
  const [crt, key] = await Promise.all([readFile(join(dir, 'ca.crt'), 'utf8'), readFile(join(dir, 'ca.key'), 'utf8')])
  const subject = `O=system:nodes, CN=system:node:${config.hostname}`
  const pair = await issueCertificate({ crt, key }, { subject, usage: 'client', days: 365 })
  const file = join(dir, 'kubelets', `${config.hostname}.kubeconfig`)
  await mkdir(join(dir, 'kubelets'), { recursive: true, mode: 0o700 })
  const server = `https://${spec.base}:${apiPort}`
  await writeFile(file, kubeconfigFor(config.clusterName, config.hostname, server, crt, pair), { mode: 0o600 })
  return file
}

async function signingRequest(hostname: string, address: string): Promise<string> {
  const { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } = await import('@peculiar/x509')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `O=system:nodes, CN=system:node:${hostname}`,
    keys: await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']),
    signingAlgorithm: algorithm,
    extensions: [
      new SubjectAlternativeNameExtension([
        { type: 'dns', value: hostname },
        { type: 'ip', value: address },
      ]),
    ],
  })
  return request.toString('pem')
}
