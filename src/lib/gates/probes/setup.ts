/** Probes of what an operator's machine and repository must have before anything is touched. What is wrong with it no waiting changes. */
import { X509Certificate } from 'node:crypto'
import type { Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import { listOf } from '../fill.ts'
import type { DecryptFailure, GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'

type SetupProbe =
  | 'client-certificates-valid'
  | 'config-sound'
  | 'no-confirm-left'
  | 'op-signed-in'
  | 'talsecret-absent'
  | 'talsecret-decrypts'
  | 'tools-present'

const pass = (detail: string): Verdict => ({ status: 'pass', detail })
const refuse = (detail: string, rest: Partial<Exclude<Verdict, { status: 'pass' }>> = {}): Verdict => ({
  status: 'fail',
  detail,
  cause: 'configuration',
  final: true,
  ...rest,
})

export function setupProbes(ports: GatePorts): Record<SetupProbe, Probe> {
  const { cluster } = ports
  const talsecret = `talos/${cluster.name}/talsecret.sops.yaml`
  const renew = `k8sops talos talosconfig --cluster ${cluster.name}, then k8sops talos kubeconfig --cluster ${cluster.name}`
  const gensecret = `k8sops talos gensecret --cluster ${cluster.name}`

  const nextFor: Record<DecryptFailure, string> = {
    'no-key': 'sign in with `eval $(op signin)`, and see onePassword.ageKey in k8sops.yaml',
    'missing-file': gensecret,
    undecryptable:
      'check the recipients in .sops.yaml against the key that onePassword.ageKey names; never make a new file over it',
    incomplete: 'restore the file from Git history; never make a new one over it',
  }

  return {
    async 'tools-present'(params) {
      const states = ports.tools(listOf(params.tools))
      const missing = states.filter((tool) => tool.path === undefined)
      if (missing.length === 0)
        return pass(states.map(({ name, pinned }) => (pinned ? `${name} ${pinned}` : name)).join(', '))
      const lines = missing.map(({ name, pinned, onPath }) => {
        if (pinned === undefined) return `${name}: not installed`
        if (onPath === undefined) return `${name}: not installed (pinned: ${pinned})`
        return `${name}: version ${onPath} is on PATH, pinned is ${pinned}`
      })
      const ours = missing.some(({ pinned }) => pinned !== undefined)
      const next = ours ? 'npm run setup, or mise install' : 'install it (docs/prerequisites.md)'
      return refuse(lines.join('; '), { waitingFor: lines, next })
    },

    /** None of our client certificates ends within `days`. */
    async 'client-certificates-valid'(params): Promise<Verdict> {
      const days = Number(params.days)
      const certificates = await ports.clientCertificates()
      if (!certificates.ok) return unreadable(certificates)
      const ends = certificates.value.map(({ file, pem }) => ({ file, end: endOf(pem) }))
      const when = ({ file, end }: { file: string; end: number | undefined }) =>
        end === undefined
          ? `${file}: no certificate can be read`
          : `${file}: until ${new Date(end).toISOString().slice(0, 10)}, ${daysFrom(ports.now(), end)} days`
      const short = ends.filter(({ end }) => !(end !== undefined && end - ports.now() >= days * dayMs))
      if (ends.length === 0) return { status: 'fail', detail: 'there is no client certificate', next: renew }
      if (short.length === 0) return pass(ends.map(when).join('; '))
      const lines = short.map(when)
      return { status: 'fail', detail: lines.join('; '), waitingFor: lines, next: renew }
    },

    async 'config-sound'() {
      const problems = await ports.problems()
      if (problems.length === 0) return pass('no problem found')
      return refuse(`${problems.length} problems in the configuration`, { problems, next: 'k8sops validate' })
    },

    async 'no-confirm-left'() {
      if (cluster.confirm.length === 0) return pass('every fact is confirmed')
      return refuse(`${cluster.confirm.length} facts of cluster ${cluster.name} are not confirmed yet`, {
        problems: cluster.confirm.map((one) => ({ ...one, message: `to be confirmed: ${one.message}` })),
        next: 'look each one up as its comment says, and take the `# CONFIRM` mark away',
      })
    },

    async 'op-signed-in'(_params, signal) {
      const account = await ports.signedIn(signal)
      if (account.ok) return pass(account.value)
      return refuse(`1Password: ${account.detail}`, { next: 'eval $(op signin)' })
    },

    async 'talsecret-decrypts'(_params, signal) {
      const secrets = await ports.talosSecrets(signal)
      if (!secrets.ok) {
        const problems = secrets.why === 'no-key' ? [] : [{ file: talsecret, line: 1, message: secrets.detail }]
        return refuse(secrets.detail, { problems, next: nextFor[secrets.why] })
      }
      if (!secrets.value.hasSecretbox) {
        const message = 'secrets.secretboxencryptionsecret is empty: Secrets would lie in etcd unencrypted (NFR10)'
        return refuse(message, { problems: [{ file: talsecret, line: 1, message }], next: nextFor.incomplete })
      }
      return pass(`${talsecret} decrypts`)
    },

    async 'talsecret-absent'(_params, signal) {
      const secrets = await ports.talosSecrets(signal)
      if (!secrets.ok && secrets.why === 'missing-file') return pass(`${talsecret} does not exist`)
      return refuse(`${talsecret} exists; it is never made a second time, because the cluster's identity is in it`, {
        next: `to start a new cluster on purpose, remove ${talsecret} with git rm first`,
      })
    },
  }
}

const dayMs = 86_400_000
const daysFrom = (now: number, end: number) => Math.floor((end - now) / dayMs)

function endOf(pem: string): number | undefined {
  try {
    return new X509Certificate(pem).validToDate.getTime()
  } catch {
    return undefined
  }
}
