/**
 * Calls of the Talos API by gRPC, with talosconfig's certificate. Every machine is dialled at its own address and answers for
 * itself: through another one, or the VIP, a read would need the very things that it asks about.
 */
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { Client, type ClientReadableStream, credentials, type ServiceError, status } from '@grpc/grpc-js'
import type { Result } from '../../types.ts'
import { connectionFault } from './connection-fault.ts'
import type { Identity } from './identity.ts'
import { type MethodPath, maxMessageBytes, methodOf, talosPort } from './protocol.ts'

const callTimeoutMs = 10_000

export interface TalosClient {
  /** The answer's messages: of a stream all of them, else one. Reads only, because a call that broke is made again. */
  call<Message>(node: string, path: MethodPath, request?: object, signal?: AbortSignal): Promise<Result<Message[]>>
}

/** @param identity read anew for each call: making the machine configs makes another certificate */
export function createTalosClient(identity: () => Promise<Result<Identity>>): TalosClient {
  const clients = new Map<string, { client: Client; crt: string }>()
  const drop = (node: string) => {
    clients.get(node)?.client.close()
    clients.delete(node)
  }
  const clientOf = (node: string, { ca, crt, key }: Identity): Client => {
    const known = clients.get(node)
    if (known?.crt === crt) return known.client
    drop(node)
    const [caPem, crtPem, keyPem] = [ca, crt, key].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer]
    const checked = {
      checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(node, certificate),
    }
    const secured = credentials.createSsl(caPem, keyPem, crtPem, checked)
    const client = new Client(`${node}:${talosPort}`, secured, options)
    clients.set(node, { client, crt })
    return client
  }
  return {
    async call<Message>(node: string, path: MethodPath, request: object = {}, signal?: AbortSignal) {
      const us = await identity()
      if (!us.ok) return us
      const ask = () => answer<Message>(clientOf(node, us.value), path, request, signal)
      const first = await ask()
      if (first.ok) return first
      if (signal?.aborted) return { ok: false, why: 'unreachable', detail: `${node}: interrupted` }
      const { code } = first.error
      if (code !== status.UNAVAILABLE && code !== status.DEADLINE_EXCEEDED) return failure(node, first.error)
      // Either the machine itself said so of something behind it, or there is no way to it.
      drop(node)
      const fault = await connectionFault(node, us.value, signal)
      if (fault) return fault
      if (code === status.DEADLINE_EXCEEDED) return failure(node, first.error)
      // A connection from before a restart breaks when it is used, and the machine is back by now.
      const second = await ask()
      return second.ok ? second : failure(node, second.error)
    },
  }
}

const options = {
  // An address is no server name (RFC 6066), and grpc-js 1.14 would send it as one. Checked is the address nevertheless, above.
  'grpc.ssl_target_name_override': 'talos',
  // Machines stand on our own network.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.max_receive_message_length': maxMessageBytes,
  // What is polled every few seconds is dialled anew: a machine that was cut off would not end a connection by itself.
  'grpc.client_idle_timeout_ms': 1_000,
}

type Answer<Message> = { ok: true; value: Message[] } | { ok: false; error: ServiceError }

function answer<Message>(client: Client, path: MethodPath, request: object, signal?: AbortSignal) {
  const { promise, resolve } = Promise.withResolvers<Answer<Message>>()
  const { requestSerialize, responseDeserialize, responseStream } = methodOf(path)
  const deadline = { deadline: Date.now() + callTimeoutMs }
  let call: { cancel: () => void }
  if (responseStream) {
    const messages: Message[] = []
    const stream: ClientReadableStream<object> = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      deadline,
    )
    stream.on('data', (message: Message) => messages.push(message))
    stream.on('error', (error: ServiceError) => resolve({ ok: false, error }))
    stream.on('end', () => resolve({ ok: true, value: messages }))
    call = stream
  } else {
    call = client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, deadline, (error, message) =>
      resolve(error ? { ok: false, error } : { ok: true, value: [message as Message] }),
    )
  }
  const cancel = () => call.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  if (signal?.aborted) cancel()
  return promise.finally(() => signal?.removeEventListener('abort', cancel))
}

/** What the machine itself answered. */
function failure(node: string, { code, details }: ServiceError): Result<never> {
  const denied = code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED
  const why = denied ? 'denied' : code === status.NOT_FOUND ? 'not-found' : 'failed'
  return { ok: false, why, detail: `${node}: ${codeName(code)}: ${details}` }
}

/** As Talos's own tools write it: `PermissionDenied`. */
const codeName = (code: status) =>
  (status[code] ?? String(code)).toLowerCase().replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
