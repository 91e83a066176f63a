/** Whose the machines are, told by the certificates that they show: no client certificate of ours is needed for it. */
import { X509Certificate } from 'node:crypto'
import type { TalosPort, Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import { listOf } from '../fill.ts'
import type { GatePorts } from '../ports.ts'

type IdentityProbe = 'machines-not-foreign'

export function identityProbes(ports: GatePorts, talos: TalosPort): Record<IdentityProbe, Probe> {
  const hostnames = new Map(ports.cluster.nodes.map((node) => [node.address, node.hostname]))
  const talsecret = `talos/${ports.cluster.name}/talsecret.sops.yaml`

  return {
    /**
     * No configured machine that answers has a certificate of another CA than the one in the secrets file. Machines that are
     * away or wait for their first config contradict nothing: before bootstrap there are only such.
     */
    async 'machines-not-foreign'(params, signal): Promise<Verdict> {
      const secrets = await ports.talosSecrets(signal)
      if (!secrets.ok) return { status: 'unknown', detail: secrets.detail, cause: 'configuration', final: true }
      const ca = new X509Certificate(secrets.value.talosCa)
      const judged = await Promise.all(
        listOf(params.nodes).map(async (node) => {
          const shown = await ports.machineCertificate(node, signal)
          if (!shown.ok) return { node, is: 'silent' as const }
          if (isIssuedBy(shown.value, ca)) return { node, is: 'ours' as const }
          const state = await talos.state(node, signal)
          const waits = state.ok && (state.value === 'maintenance' || state.value === 'down')
          return { node, is: waits ? ('silent' as const) : ('foreign' as const) }
        }),
      )
      const foreign = judged.filter(({ is }) => is === 'foreign')
      if (foreign.length === 0) {
        const ours = judged.filter(({ is }) => is === 'ours').length
        return {
          status: 'pass',
          detail: `${ours} of ${judged.length} machines answer with certificates of ${talsecret}`,
        }
      }
      const lines = foreign.map(
        ({ node }) => `${hostnames.get(node) ?? node} (${node}): its certificate is not of the CA in ${talsecret}`,
      )
      return {
        status: 'fail',
        detail: lines.join('; '),
        waitingFor: lines,
        problems: [
          {
            file: talsecret,
            line: 1,
            message: `not the secrets of ${foreign.map(({ node }) => hostnames.get(node) ?? node).join(', ')}`,
          },
        ],
        next: `the machines belong to another installation, or ${talsecret} was replaced: restore it from Git history`,
        cause: 'configuration',
        final: true,
      }
    },
  }
}

/** @param pem a certificate; whatever can't be read as one was issued by nobody */
export function isIssuedBy(pem: string, ca: X509Certificate): boolean {
  try {
    const certificate = new X509Certificate(pem)
    return certificate.checkIssued(ca) && certificate.verify(ca.publicKey)
  } catch {
    return false
  }
}
