/** What the lab's API server says to manifests of this repository, asked as an operator asks it. */
import { expect, test } from 'vitest'
import { startCli, told } from '../helpers/lab-cli.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

test('validate --server asks about each object of the files that were named, and nothing else', async () => {
  const { env, flags } = await sharedLab()
  const component = 'kubernetes/infrastructure/controllers/networking/cloudflared'
  const ended = await startCli(['validate', '--server', ...flags, '--lab', component], { env }).ended
  expect(ended.code, told(ended)).toBe(0)
  const report = JSON.parse(ended.stdout) as { server: { cluster: string; accepted: number; notChecked: string[] }[] }
  expect(report.server).toMatchObject([{ cluster: 'apps', notChecked: [] }])
  // Deployment, Services, policy, Secret, monitors, its Kustomization: some, and not those of all components.
  expect(report.server[0]?.accepted).toBeGreaterThan(5)
  expect(report.server[0]?.accepted).toBeLessThan(30)
})
