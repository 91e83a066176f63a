import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { OpenedCluster } from '../../src/lib/cli/services.ts'
import { createRedactor } from '../../src/lib/exec/redact.ts'
import { createServices } from '../../src/services.ts'
import { clusterNamed } from '../helpers/cli.ts'

test('after Ctrl-C tools are still started: a step that has to be finished has yet to be verified', async () => {
  const root = mkdtempSync(join(tmpdir(), 'k8sops-services-'))
  const opened = {
    cluster: clusterNamed('test'),
    target: { cluster: 'test', root, kubeconfig: join(root, 'kubeconfig'), talosconfig: 'talosconfig', env: {} },
  } as OpenedCluster
  const stop = new AbortController()
  const exec = await createServices('/nonexistent').exec(opened, {
    redactor: createRedactor(),
    env: process.env,
    note: () => {},
    signal: stop.signal,
  })
  stop.abort()
  const ended = await exec({ pipeline: [{ tool: 'git', args: ['--version'] }] })
  rmSync(root, { recursive: true })
  expect(ended).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('git version') })
})
