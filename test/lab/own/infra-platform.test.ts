/**
 * The developers' platform of a whole infra: well when Flux is through, a row that fails for each thing that is broken, what developers make by
 * themselves, and what they are told to connect to. A local process stands for the pod of Gatus and says what is asked of it.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callSupervisor } from '../../../src/lib/lab/control-socket.ts'
import type { LabRecord } from '../../../src/lib/lab/record.ts'
import { readRunbooks } from '../../../src/lib/repo/runbooks.ts'
import { type Ended, eventually, repositoryRoot } from '../../helpers/lab.ts'
import { sampledBlocks } from '../../helpers/runbook-blocks.ts'
import { seed } from '../../helpers/seed.ts'
import { sharedLab, sharedLabDown, sharedPlace } from '../../helpers/shared-lab.ts'

const { env, flags } = sharedPlace('infra')
let record: LabRecord
const developers = '--as=system:serviceaccount:arsipq-dev:arsipq-backend'
const example = join(repositoryRoot, 'docs/examples/spring-boot')

const k8sops = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const program = join(repositoryRoot, 'bin/k8sops.js')
    const options = { cwd: repositoryRoot, env, timeout: 900_000, maxBuffer: 2 ** 26 }
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
    )
  })
const kubectl = (...args: string[]) => k8sops('lab', 'exec', ...flags, '--', 'kubectl', ...args)

interface Row {
  component: string
  state: string
  summary: string
}
async function status(): Promise<{ code: number; rows: Record<string, Row> }> {
  const { code, stdout } = await k8sops('platform', 'status', ...flags, '--lab', '-o', 'json')
  const { items } = JSON.parse(stdout) as { items: Row[] }
  return { code, rows: Object.fromEntries(items.map((row) => [row.component, row])) }
}

/** What Gatus would say: every check that Git asks for succeeds, but those that are named here. */
const failing = new Set<string>()
let names: string[] = []
const gatus = createServer((request, response) => {
  const list = names.map((name) => ({
    name,
    results: [{ success: !failing.has(name), timestamp: '2026-11-30T12:00:00Z' }],
  }))
  const known = request.url === '/api/v1/endpoints/statuses'
  response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(known ? list : {}))
})
let pod = ''

beforeAll(async () => {
  record = (await sharedLab('infra')).record
  gatus.listen(0, '127.0.0.1')
  await once(gatus, 'listening')
  const { port } = gatus.address() as AddressInfo
  const found = await kubectl('get', 'configmaps', '-A', '-l', 'gatus.io/enabled=true', '-o', 'json')
  const { items } = JSON.parse(found.stdout) as { items: { data: Record<string, string> }[] }
  names = items.flatMap(({ data }) =>
    Object.values(data).flatMap((text) => [...text.matchAll(/- name: (\S+)/g)].map(([, name = '']) => name)),
  )
  const address = await eventually(
    async () =>
      (
        await kubectl(
          'get',
          'pods',
          '-n',
          'observability',
          '-l',
          'app.kubernetes.io/name=gatus',
          '-o',
          'jsonpath={.items[0].status.podIP}',
        )
      ).stdout,
    (ip) => ip !== '',
    60,
  )
  pod = `${address}:8080`
  await callSupervisor(record.dir, 'POST', '/pods', { pod, at: `127.0.0.1:${port}` })
})

afterAll(async () => {
  gatus.close()
  await sharedLabDown('infra')
})

it('is well, row by row, when Flux is through', async () => {
  const { code, rows } = await status()
  expect(
    Object.entries(rows).map(([name, { state, summary }]) => [name, state, state === 'ok' ? '' : summary]),
  ).toEqual(
    ['postgres', 'kafka', 's3', 'schema-registry', 'keycloak', 'openbao', 'gatus'].map((name) => [name, 'ok', '']),
  )
  expect(code).toBe(0)
})

const { chosen } = sampledBlocks(
  readRunbooks(repositoryRoot).flatMap(({ blocks }) => blocks.filter(({ labOf }) => labOf === 'infra')),
)
describe(`blocks of the runbooks that only a lab of infra can show (seed ${seed})`, () => {
  it.each(chosen.map(({ id }) => id))('%s', async (id) => {
    const { stdout, stderr } = await k8sops('runbook', 'run', id, ...flags, '-o', 'json')
    const { items } = JSON.parse(stdout) as { items: { id: string; outcome: string }[] }
    expect(items, stderr).toMatchObject([{ id, outcome: 'passed' }])
  })
})

describe('what is broken is the row that fails', () => {
  it.each([
    ['kafka', 'arsipq-dev', 'kafkatopic/platform-check', /KafkaTopic/],
    ['keycloak', 'arsipq-platform', 'httproute/keycloak', /no route leads to its console/],
    ['s3', 'arsipq-dev', 'externalsecret/arsipq-s3', /nothing makes a Secret with its keys/],
    ['gatus', 'arsipq-platform', 'configmap/arsipq-kafka-gatus', /nobody checks arsipq-kafka/],
  ])('%s: %s %s is gone', async (component, namespace, object, said) => {
    expect(await kubectl('delete', '-n', namespace, object)).toMatchObject({ code: 0 })
    const broken = await eventually(status, ({ rows }) => rows[component]?.state === 'fail', 20)
    expect(broken.rows[component]?.summary).toMatch(said)
    expect(broken.code).toBe(3)
  })

  it('s3 and gatus: a check that Gatus fails', async () => {
    failing.add('arsipq-s3')
    const { code, rows } = await status()
    failing.clear()
    expect([code, rows.s3?.state, rows.gatus?.state]).toEqual([3, 'fail', 'fail'])
  })
})

describe('what developers do by themselves', () => {
  it('a topic and a user, as the ServiceAccount that Flux takes for their repository', async () => {
    const files = ['kafkatopic.yaml', 'kafkauser.yaml'].flatMap((name) => ['-f', join(example, name)])
    expect(await kubectl('apply', developers, ...files)).toMatchObject({ code: 0 })
    const wait = ['--for=condition=Ready', '--timeout=60s', '-n', 'arsipq-dev']
    expect(await kubectl('wait', 'kafkatopic/orders-events', 'kafkauser/orders', ...wait)).toMatchObject({ code: 0 })
  })

  it('the whole example, as the API server takes it; no Secret of anybody', async () => {
    expect(await kubectl('apply', developers, '-k', example, '--dry-run=server')).toMatchObject({ code: 0 })
    const secrets = await kubectl('auth', 'can-i', 'get', 'secrets', '-n', 'arsipq-dev', developers)
    expect(secrets.stdout.trim()).toBe('no')
    const others = await kubectl('auth', 'can-i', 'create', 'kafkatopics', '-n', 'arsipq-platform', developers)
    expect(others.stdout.trim()).toBe('no')
  })

  it('their user’s password is printed when it is asked for, and only then', async () => {
    const words = ['platform', 'connect', 'kafka', '--name', 'orders', ...flags, '--lab', '--as', 'env']
    const secret = await kubectl('get', 'secret', 'orders', '-n', 'arsipq-dev', '-o', 'jsonpath={.data.password}')
    const password = Buffer.from(secret.stdout, 'base64').toString('utf8')
    expect(password.length).toBeGreaterThan(20)
    expect((await k8sops(...words)).stdout).not.toContain(password)
    expect((await k8sops(...words, '--show-secrets')).stdout).toContain(password)
  })

  it('which database is meant has to be said where there are several', async () => {
    const open = await k8sops('platform', 'connect', 'postgres', ...flags, '--lab')
    expect(open).toMatchObject({ code: 2, stderr: expect.stringContaining('which Database?') })
    const named = await k8sops('platform', 'connect', 'postgres', '--name', 'arsipq-backend', ...flags, '--lab')
    expect(named.stdout).toContain('jdbc:postgresql://postgres-rw.databases.svc.cluster.local:5432/arsipq-backend')
  })
})
