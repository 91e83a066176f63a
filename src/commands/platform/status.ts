import { cell, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { exitCodes, UnreachableError } from '../../lib/errors.ts'
import { readCheckResults, readPlatform } from '../../lib/ops/platform-facts.ts'
import { platformRows, rowFields } from '../../lib/ops/platform-status.ts'

export const platformStatus = defineCommand({
  path: 'platform status',
  summary: "Show whether the developers' platform of a cluster is well",
  description:
    'Rows are PostgreSQL, Kafka, the S3 server, the schema registry, Keycloak, OpenBao and who checks them, each judged from live objects. What can not be read is unknown, and unknown is not well. Exit code 3 when something is not well.',
  effect: 'read',
  scope: 'cluster',
  options: [{ flags: '--limit <duration>', description: 'how long to wait for answers', default: '10s' }],
  examples: ['k8sops platform status --cluster infra', 'k8sops platform status --cluster infra -o json'],
  runbook: 'docs/developer-guide.md',
  async read({ kube, options, signal }) {
    const port = await kube()
    const until = AbortSignal.any([signal, AbortSignal.timeout(parseDurationSec(String(options.limit)) * 1000)])
    const facts = await readPlatform(port, until)
    const read = Object.values(facts)
    const away = read.find((one) => !one.ok)
    if (away && !away.ok && read.every((one) => !one.ok)) throw new UnreachableError(away.detail)
    const rows = platformRows({ facts, results: await readCheckResults(port, facts, until) })
    return {
      kind: 'PlatformStatus',
      items: rows.map(rowFields),
      columns: [
        { title: 'component', value: cell('component') },
        { title: 'state', value: cell('state') },
        { title: 'summary', value: cell('summary') },
        { title: 'next', value: cell('next'), wide: true },
      ],
      exitCode: rows.every(({ state }) => state === 'ok') ? exitCodes.ok : exitCodes.gate,
    }
  },
})
