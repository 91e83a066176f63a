/** What an API server says to every object, without doing anything: server-side dry-run, admission included. */
import type { Finding } from './locate.ts'
import { about } from './rules/rule.ts'
import type { ClusterView, RenderedObject } from './rules/view.ts'

/** Dry-runs one object (JSON); gives what the server says against it. Rejects when the server cannot be asked at all. */
export type DryRun = (object: string) => Promise<{ ok: true } | { ok: false; message: string }>

export interface ServerCheck {
  cluster: string
  accepted: number
  findings: Finding[]
  /** Nothing can be said of them yet: their namespace or their kind is not there, or they are encrypted. */
  notChecked: string[]
}

export const serverRule = {
  id: 'server',
  looksAt: 'itself' as const,
  why: 'The API server refuses it: schema, admission, quota or an immutable field',
  fix: 'kubectl apply --server-side --dry-run=server -f FILE says the same',
}

/** So many at a time: a lab has one API server on a machine with other work. */
const atOnce = 4

/** What is not there yet says nothing about the object. */
const notThere = /namespaces "[^"]+" not found|no matches for kind|the server could not find the requested resource/i

export async function checkOnServer(cluster: ClusterView, dryRun: DryRun): Promise<ServerCheck> {
  const result: ServerCheck = { cluster: cluster.name, accepted: 0, findings: [], notChecked: [] }
  const waiting = [...cluster.objects]
  const name = ({ kind, namespace, name: own }: RenderedObject) => `${kind} ${namespace ? `${namespace}/` : ''}${own}`
  const work = async (): Promise<void> => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      const object = one.object()
      if ('sops' in object) {
        result.notChecked.push(name(one))
        continue
      }
      const said = await dryRun(JSON.stringify(object))
      if (said.ok) result.accepted += 1
      else if (notThere.test(said.message)) result.notChecked.push(name(one))
      else result.findings.push({ ...about(one, said.message), cluster: cluster.name })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return result
}
