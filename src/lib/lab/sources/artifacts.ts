/** Keeps source artifacts in the lab's directory and serves them to the Flux controllers, as source-controller does. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { dirname, join, normalize } from 'node:path'
import { sha256 } from '../charts/index.ts'

/** `status.artifact` of a source. */
export interface Artifact {
  path: string
  url: string
  revision: string
  digest: string
  size: number
  lastUpdateTime: string
  metadata?: Record<string, string>
}

export interface ArtifactStore {
  /**
   * Stores an archive.
   * @param source kind, namespace and name of the object it belongs to
   * @param revision `main@sha1:...` or `1.0.0@sha256:...`
   */
  put(
    source: { kind: string; namespace: string; name: string },
    revision: string,
    archive: Buffer,
    extension: 'tar.gz' | 'tgz' | 'yaml',
  ): Promise<Artifact>
  /** What was stored. */
  read(artifact: Pick<Artifact, 'path'>): Promise<Buffer>
  stop(): Promise<void>
}

/**
 * @param listen address and port that artifacts are served at
 * @param running while this is false connections are dropped, as when the controller's pod is gone
 */
export async function serveArtifacts(
  directory: string,
  listen: { host: string; port: number },
  running: () => boolean,
): Promise<ArtifactStore> {
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    if (!running()) {
      request.socket.destroy()
      return
    }
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://artifacts').pathname))
    readFile(join(directory, path)).then(
      (archive) => response.writeHead(200, { 'content-type': 'application/gzip' }).end(archive),
      () => response.writeHead(404).end(),
    )
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const listening = Promise.withResolvers<void>()
  server.once('error', listening.reject)
  server.listen(listen.port, listen.host, listening.resolve)
  await listening.promise

  return {
    async put({ kind, namespace, name }, revision, archive, extension) {
      const file = `${revision.split(':').at(-1)}.${extension}`
      const path = `${kind.toLowerCase()}/${namespace}/${name}/${file}`
      const target = join(directory, path)
      await mkdir(dirname(target), { recursive: true })
      // A reader must never see half of it.
      await writeFile(`${target}.new`, archive)
      await rename(`${target}.new`, target)
      return {
        path,
        url: `http://${listen.host}:${listen.port}/${path}`,
        revision,
        digest: sha256(archive),
        size: archive.length,
        lastUpdateTime: `${new Date().toISOString().slice(0, 19)}Z`,
      }
    },
    read: ({ path }) => readFile(join(directory, path)),
    async stop() {
      for (const socket of sockets) socket.destroy()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}
