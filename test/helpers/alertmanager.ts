/**
 * A server that speaks the part of Alertmanager's API v2 that silences need, with its rules (0.28): it is no Alertmanager, and
 * silences nothing. test/tools/alertmanager.test.ts holds both to the same.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface StoredSilence {
  id: string
  startsAt: string
  endsAt: string
  matchers: { name: string; value: string; isRegex: boolean; isEqual: boolean }[]
  createdBy: string
  comment: string
}

export interface FakeAlertmanager {
  url: string
  silences: StoredSilence[]
  state: (silence: StoredSilence) => 'active' | 'expired'
  /** As after a restart without its storage. */
  forget: () => void
  close: () => Promise<void>
}

export async function startAlertmanager(): Promise<FakeAlertmanager> {
  const silences: StoredSilence[] = []
  const state = ({ endsAt }: StoredSilence) => (Date.parse(endsAt) > Date.now() ? 'active' : 'expired')
  const seconds = (text: string) => Math.floor(Date.parse(text) / 1000)
  const post = (body: Partial<StoredSilence>): [number, unknown] => {
    const { id, startsAt = '', endsAt = '', matchers = [], createdBy, comment } = body
    for (const [name, value] of Object.entries({ createdBy, comment }))
      if (value === undefined) return [422, { code: 602, message: `${name} in body is required` }]
    if (matchers.length === 0) return [422, { code: 612, message: 'matchers in body should have at least 1 items' }]
    if (Date.parse(endsAt) <= Date.parse(startsAt)) return [400, 'start time must be before end time']
    if (Date.parse(endsAt) < Date.now()) return [400, "end time can't be in the past"]
    const known = silences.find((one) => one.id === id)
    if (id && !known) return [404, 'silence not found']
    const kept =
      known &&
      state(known) === 'active' &&
      seconds(known.startsAt) === seconds(startsAt) &&
      JSON.stringify(known.matchers) === JSON.stringify(matchers)
    if (kept) {
      known.endsAt = endsAt
      return [200, { silenceID: known.id }]
    }
    if (known && state(known) === 'active') known.endsAt = new Date().toISOString()
    const now = new Date()
    const begins = Date.parse(startsAt) < now.getTime() ? now.toISOString() : startsAt
    silences.push({
      id: randomUUID(),
      startsAt: begins,
      endsAt,
      matchers,
      createdBy: createdBy ?? '',
      comment: comment ?? '',
    })
    return [200, { silenceID: silences.at(-1)?.id }]
  }
  const answer = async (request: IncomingMessage): Promise<[number, unknown]> => {
    const [, id] = /^\/api\/v2\/silence\/(.+)$/.exec(request.url ?? '') ?? []
    if (request.method === 'POST' && request.url === '/api/v2/silences') {
      const chunks = await request.toArray()
      return post(JSON.parse(Buffer.concat(chunks).toString()) as Partial<StoredSilence>)
    }
    if (id && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))
      return [422, { code: 601, message: `silenceID in path must be of type uuid: "${id}"` }]
    const known = silences.find((one) => one.id === id)
    if (!known) return [404, '']
    if (request.method === 'GET') return [200, { ...known, status: { state: state(known) } }]
    if (state(known) === 'active') known.endsAt = new Date().toISOString()
    return [200, '']
  }
  const server = createServer((request, response) => {
    void answer(request).then(([status, body]) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(body === '' ? '' : JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    silences,
    state,
    forget: () => void silences.splice(0),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
