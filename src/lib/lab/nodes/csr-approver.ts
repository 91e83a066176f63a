/**
 * kubelet-csr-approver's part: while its pod runs, the serving certificates that kubelets ask for are approved if they are
 * for the node that asks (its own name and address), and denied otherwise. The real controller manager signs them.
 */
import { X509Certificate } from 'node:crypto'
import type { KubeObject } from '../../types.ts'
import { openClusterView } from '../kube/cluster-view.ts'
import { now } from '../kube/conditions.ts'
import { startOperator } from '../operators/operator.ts'
import type { Lab, Part } from '../types.ts'

const signer = 'kubernetes.io/kubelet-serving'
const pod = { 'app.kubernetes.io/name': 'kubelet-csr-approver' }

export async function startCsrApprover(lab: Lab): Promise<Part> {
  const { view, close } = openClusterView(lab)
  const { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } = await import('@peculiar/x509')

  /** Why not, or undefined. */
  const refusal = (request: string, username: string): string | undefined => {
    const csr = new Pkcs10CertificateRequest(Buffer.from(request, 'base64').toString())
    const node = username.replace(/^system:node:/, '')
    if (csr.subjectName.getField('CN')[0] !== username) return `the common name is not ${username}`
    const extension = csr.extensions.find((each) => each instanceof SubjectAlternativeNameExtension)
    const names = extension?.names.items ?? []
    const known = lab.spec.machines.some(({ nodeAddress }) =>
      names.some(({ type, value }) => type === 'ip' && value === nodeAddress),
    )
    if (!known) return 'it names no address of a node'
    const foreign = names.find(({ type, value }) => type === 'dns' && value !== node)
    return foreign ? `it names ${foreign.value}` : undefined
  }

  const reconcile = async (csr: KubeObject): Promise<undefined> => {
    const spec = csr.spec as { signerName: string; request: string; username: string }
    const conditions = (csr.status?.conditions ?? []) as { type: string }[]
    if (spec.signerName !== signer || conditions.length > 0) return
    const why = refusal(spec.request, spec.username)
    const verdict = why === undefined ? 'Approved' : 'Denied'
    const condition = {
      type: verdict,
      status: 'True',
      reason: `kubelet-serving cert ${verdict.toLowerCase()}`,
      message: why ?? 'matches the node that asks',
      lastUpdateTime: now(),
    }
    await view.writer().patchSubresource(csr, 'approval', { status: { conditions: [condition] } })
  }

  const operator = startOperator(lab, view, {
    name: 'kubelet-csr-approver',
    pod,
    kinds: [{ apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest', reconcile }],
  })
  return {
    name: 'kubelet-csr-approver',
    status: () => {
      const requests = operator.objects('CertificateSigningRequest')
      return {
        running: operator.running(),
        requests: requests.length,
        signed: requests.filter(({ status }) => isCertificate(status?.certificate)).length,
        simulated:
          'approves what a kubelet asks for its own name and address; signing is the real controller manager’s',
      }
    },
    async stop() {
      operator.stop()
      close()
    },
  }
}

function isCertificate(value: unknown): boolean {
  if (typeof value !== 'string' || value === '') return false
  try {
    return new X509Certificate(Buffer.from(value, 'base64')).subject !== ''
  } catch {
    return false
  }
}
