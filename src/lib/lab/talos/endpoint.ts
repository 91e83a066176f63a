/** What answers at the machine's address: the machine API as the machine's state and the active faults make it. */
import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import type { ActiveFault, MachineConfig, MachineSpec } from '../types.ts'
import { issueCertificate, type KeyPair, newAuthority, selfSignedCertificate } from './certificates.ts'
import { valueAt } from './machine-config.ts'
import { type Identity, type Listener, listenBlackHole, listenGrpc } from './transport.ts'

/** What the machine itself offers. */
export type Offer = 'closed' | 'maintenance' | 'secure'

/** What a client meets, faults included. */
export type EndpointState = Offer | 'foreign' | 'wrong-name' | 'black-hole'

export interface Endpoint {
  /** Changes the offer; resolves when a client meets it. */
  offer(offer: Offer): Promise<void>
  /** The faults may have changed. */
  refresh(): Promise<void>
  state(): EndpointState
}

export interface EndpointContext {
  spec: MachineSpec
  config(): MachineConfig | undefined
  /** Who signs this machine's certificate: itself on a control plane, a control plane's trustd for a worker. */
  signer(): KeyPair | undefined
  fault(name: string): ActiveFault | undefined
  /** The fault that cuts the machine off the network. */
  cutOff(): ActiveFault | undefined
  /** Milliseconds that the machine's clock is ahead: its certificates are as old as it believes. */
  clockOffsetMs(): number
  implementation: UntypedServiceImplementation
  log(message: string): void
}

export function createEndpoint(context: EndpointContext): Endpoint {
  let offered: Offer = 'closed'
  let state: EndpointState = 'closed'
  let listener: Listener | undefined
  let foreign: KeyPair | undefined
  let issuedAt = 0
  let turn: Promise<void> = Promise.resolve()

  const wanted = (): EndpointState => {
    if (offered === 'closed') return 'closed'
    const unreachable = context.cutOff()
    if (unreachable) return unreachable.params?.mode === 'refused' ? 'closed' : 'black-hole'
    if (context.fault('foreign-pki')) return 'foreign'
    if (offered === 'secure' && context.fault('certificate-without-address')) return 'wrong-name'
    return offered
  }
  const open = async (next: EndpointState): Promise<Listener | undefined> => {
    const { address } = context.spec
    if (next === 'closed') return undefined
    if (next === 'black-hole') return listenBlackHole(address)
    if (next === 'foreign') foreign ??= await newAuthority('O=talos')
    return listenGrpc(address, await identityFor(next, context, foreign), context.implementation)
  }
  const settle = async () => {
    const next = wanted()
    const offsetMs = context.clockOffsetMs()
    if (next === state && offsetMs === issuedAt) return
    await listener?.close()
    listener = undefined
    state = 'closed'
    listener = await open(next)
    state = next
    issuedAt = offsetMs
  }
  const refresh = () => {
    turn = turn.then(settle).catch((error: unknown) => context.log(`endpoint: ${error}`))
    return turn
  }
  return {
    offer(offer) {
      offered = offer
      return refresh()
    },
    refresh,
    state: () => state,
  }
}

async function identityFor(
  state: 'maintenance' | 'secure' | 'foreign' | 'wrong-name',
  context: EndpointContext,
  foreign: KeyPair | undefined,
): Promise<Identity> {
  const { address, nodeAddress } = context.spec
  if (state === 'maintenance') {
    return selfSignedCertificate({
      subject: 'CN=maintenance-service.talos.dev',
      ips: [address],
      usage: 'server',
      days: 1,
    })
  }
  const config = context.config()
  const signer = state === 'foreign' ? foreign : context.signer()
  if (!signer) throw new Error(`nobody can sign the certificate of ${address}`)
  const extra = state === 'foreign' ? [] : certSans(config)
  const ips = state === 'wrong-name' ? [nodeAddress] : [address, nodeAddress, '127.0.0.1', ...extra.filter(isAddress)]
  const dnsNames = [
    config?.hostname ?? 'talos',
    ...(state === 'wrong-name' ? [] : extra.filter((name) => !isAddress(name))),
  ]
  const pair = await issueCertificate(signer, {
    subject: `CN=${config?.hostname ?? 'talos'}`,
    ips: [...new Set(ips)],
    dnsNames: [...new Set(dnsNames)],
    usage: 'server',
    days: 1,
    clockOffsetMs: context.clockOffsetMs(),
  })
  return { ...pair, clientCa: signer.crt }
}

function certSans(config: MachineConfig | undefined): string[] {
  const names = config && valueAt(config.document, 'machine.certSANs')
  return Array.isArray(names) ? names.map(String) : []
}

const isAddress = (name: string) => /^[\d.]+$|:/.test(name)
