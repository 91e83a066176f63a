/** `flux k8sops …`: the real flux finds k8sops in its plugin directory, runs it, and asks it for names at a Tab. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { resolveTool } from '../../src/lib/tools/resolve.ts'

const root = join(import.meta.dirname, '../..')
const plugins = mkdtempSync(join(tmpdir(), 'k8sops-flux-plugin-'))
afterAll(() => rmSync(plugins, { recursive: true }))

let flux: (...words: string[]) => Promise<string>
beforeAll(async () => {
  // As README.md says it.
  symlinkSync(join(root, 'bin/k8sops.js'), join(plugins, 'flux-k8sops'))
  const found = resolveTool('flux')
  if (!found) throw new Error('flux is not installed: npm run setup')
  const env = {
    ...process.env,
    FLUXCD_PLUGINS: plugins,
    PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
  }
  flux = async (...words) => (await promisify(execFile)(found.path, words, { cwd: root, env })).stdout
})

test('it stands among the plugins and runs with its own options', async () => {
  expect(await flux('--help')).toMatch(/^ +k8sops +/m)
  expect(await flux('k8sops', '--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
  const listed = JSON.parse(await flux('k8sops', 'app', 'list', '-o', 'json'))
  expect(listed).toMatchObject({ kind: 'ApplicationList' })
})

test('its names complete through flux, to the last', async () => {
  const names = async (...words: string[]) => {
    const lines = (await flux('__complete', 'k8sops', ...words)).trim().split('\n')
    expect(lines.at(-1)).toMatch(/^:4$/)
    return lines.slice(0, -1).map((line) => line.split('\t')[0])
  }
  expect(await names('run', 're')).toEqual(['resume'])
  expect(await names('run', 'resume', '--cluster', '')).toEqual(['apps', 'infra'])
})
