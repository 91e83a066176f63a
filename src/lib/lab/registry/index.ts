/**
 * The only way out of a lab: a CONNECT proxy whose every tunnel ends in the lab's own registry. It answers for the
 * hosts that the repository takes charts from and refuses all others, so that nothing leaves the machine unseen.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { type Charts, type ChartsOptions, createCharts } from '../charts/index.ts'
import { dialledHost } from '../charts/sources.ts'
import { proxyPort } from '../materialise/environment.ts'
import { createImageCatalog, type ImageCatalog, imageHosts } from '../talos/images.ts'
import type { Lab, Part } from '../types.ts'
import { hostCertificates } from './certificates.ts'
import { helmRepositoryAnswer } from './helm-repository.ts'
import { imageManifest, ociAnswer, send } from './oci.ts'

/** How the fault `registry-down` shows: the connection is refused, the registry answers with an error, or it never answers. */
type Outage = 'refused' | '500' | '429' | 'hang'

/**
 * Starts the proxy on `<base>:3128` and writes `<dir>/pki/proxy-ca.crt`. Throws when the port is taken.
 */
export async function startRegistry(lab: Lab, { cache }: Pick<ChartsOptions, 'cache'> = {}): Promise<Part> {
  const withheld = () => {
    const fault = lab.faults.active('crd-missing')
    return fault && (fault.params?.crd ?? '')
  }
  const charts = createCharts(lab.spec.root, { withheld, ...(cache === undefined ? {} : { cache }) })
  const images = createImageCatalog(lab)
  const certificates = await hostCertificates(lab.spec.dir)
  const requests: Record<string, number> = {}
  const refused: Record<string, number> = {}
  const sockets = new Set<Duplex>()

  const registry = createTlsServer({
    SNICallback: (host, done) => {
      certificates.contextFor(host).then((context) => done(null, context), done)
    },
  })
  registry.on('request', (request, response) => {
    answer(lab, { charts, images }, request, response).catch((error: Error) => {
      lab.log('registry', `${request.headers.host} ${request.url}: ${error.stack}`)
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })
  // A client that gives up, or rejects our certificate, is its own business.
  registry.on('tlsClientError', () => {})

  const proxy = createServer((request, response) => {
    count(refused, String(request.headers.host))
    lab.log('registry', `refused ${request.method} ${request.url}: only CONNECT to a registry of the repository`)
    response.writeHead(403, { 'content-type': 'text/plain' }).end('lab: nothing outside can be reached\n')
  })
  proxy.on('connect', (request: IncomingMessage, socket: Duplex) => {
    track(sockets, socket)
    connect(request.url ?? '', socket).catch(() => socket.destroy())
  })
  proxy.on('connection', (socket) => track(sockets, socket))

  async function connect(target: string, socket: Duplex): Promise<void> {
    const [host = '', port] = target.split(':')
    if (port !== '443' || !(imageHosts.has(host) || (await charts.knows(host)))) {
      count(refused, target)
      lab.log('registry', `refused CONNECT ${target}: the repository takes nothing from there`)
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
      return
    }
    count(requests, host)
    if (outage(lab, host) === 'refused') {
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
      return
    }
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    registry.emit('connection', socket)
  }

  const listening = Promise.withResolvers<void>()
  proxy.once('error', listening.reject)
  proxy.listen(proxyPort, lab.spec.base, listening.resolve)
  await listening.promise
  // Built ahead of the first request, which would otherwise wait for the CRDs' schemas.
  let counts = await charts.counts()
  let counting = false
  for (const missing of counts.missing)
    lab.log('registry', `no record for chart ${missing}: it can't be installed here`)

  return {
    name: 'registry',
    status() {
      // The repository may have changed since; the next question gets the new counts. Who asks ten times a second gets them once.
      if (!counting) {
        counting = true
        charts
          .counts()
          .then(
            (now) => {
              counts = now
            },
            (error: Error) => lab.log('registry', `can't read the repository's charts: ${error.message}`),
          )
          .finally(() => {
            counting = false
          })
      }
      const { real, placeholder, missing, crds } = counts
      return {
        proxy: `http://${lab.spec.base}:${proxyPort}`,
        charts: { real, placeholder, missing },
        crds,
        requests,
        refused,
        images: [...imageHosts],
        simulated: `${placeholder} of ${real + placeholder} charts are placeholders made from records of the real ones: same names, workloads and value keys, without their templates`,
      }
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      const closed = Promise.withResolvers<void>()
      proxy.close(() => closed.resolve())
      await closed.promise
    },
  }
}

async function answer(
  lab: Lab,
  { charts, images }: { charts: Charts; images: ImageCatalog },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const host = request.headers.host?.replace(/:\d+$/, '') ?? ''
  const path = new URL(request.url ?? '/', 'https://registry').pathname
  lab.log('registry', `${request.method} ${host}${path}`)
  const down = outage(lab, host)
  if (down === 'hang') return
  if (down === 'refused') {
    response.destroy()
  } else if (down === '500') {
    response.writeHead(500).end()
  } else if (down === '429') {
    response.writeHead(429, { 'retry-after': '5' }).end()
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405).end()
  } else {
    const chartsAt = (at: string) => charts.at(host, at)
    const image = imageManifest(host, path, images.has)
    const found =
      image ?? (path.startsWith('/v2') ? await ociAnswer(path, chartsAt) : await helmRepositoryAnswer(path, chartsAt))
    send(request, response, found)
  }
}

/** The outage of a host under the fault `registry-down`, if any. A connection that is already open fails as well. */
function outage(lab: Lab, host: string): Outage | undefined {
  const concerns = (where?: string) => !where || dialledHost(where) === host
  const fault = lab.faults.list().find(({ name, params }) => name === 'registry-down' && concerns(params?.host))
  if (!fault) return undefined
  const mode = fault.params?.mode ?? 'refused'
  return mode === '500' || mode === '429' || mode === 'hang' ? mode : 'refused'
}

function count(counters: Record<string, number>, key: string): void {
  counters[key] = (counters[key] ?? 0) + 1
}

function track(sockets: Set<Duplex>, socket: Duplex): void {
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
  socket.on('error', () => socket.destroy())
}
