import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import { ConfigError, UsageError } from '../../lib/errors.ts'
import { withListed } from '../../lib/repo/applications.ts'
import { layout } from '../../lib/repo/layout.ts'
import type { NewApplication } from '../../lib/repo/new-application.ts'
import { type Scaffold, withRelease } from './chart.ts'

export const appNew = defineCommand({
  path: 'app new',
  summary: 'Write the files of a new application: its base, its overlay on a cluster, its runbook',
  description:
    'A Deployment of one image, or the release of a chart, with what is chosen for it: a route, a volume with its backup, a database, a secret. Nothing that is there is touched but the list of the cluster’s applications and the table of runbooks. `k8sops validate` passes on what is written. A chart is asked for what it takes and makes: its values then have what the rules want, and its record is written, too; where its registry does not answer, that is said, and the values are yours to write.',
  effect: 'local',
  scope: 'cluster',
  args: {
    name: 'lower-case letters, digits, hyphens; also the name of its Service, volume, database and 1Password item',
  },
  options: [
    { flags: '--namespace <name>', description: 'one of kubernetes/infrastructure/base/namespaces' },
    { flags: '--image <ref>', description: 'image with its tag or digest' },
    { flags: '--chart <url>', description: 'chart in place of an image, oci://host/path/chart' },
    { flags: '--version <version>', description: 'of the chart; default: the newest that its registry has' },
    { flags: '--port <number>', description: 'port that it listens on; default with a chart: its Service’s' },
    { flags: '--health-path <path>', description: 'answers 200 when it is well', default: '/' },
    { flags: '--memory <quantity>', description: 'memory limit of each container, in Mi or Gi', default: '512Mi' },
    { flags: '--host <name>', description: 'host of its route, without the domain' },
    {
      flags: '--gateway <name>',
      description: 'gateway of its route',
      choices: ['envoy-internal', 'envoy-external'],
      default: 'envoy-internal',
    },
    { flags: '--volume <size>', description: 'a volume of this size at /data, with its backup' },
    { flags: '--database', description: 'a database and its owner; DATABASE_URL has the way to it', default: false },
    { flags: '--secret', description: 'all fields of its 1Password item as environment', default: false },
    { flags: '--internet', description: 'it calls the Internet over HTTPS', default: false },
  ],
  examples: [
    'k8sops app new wiki --cluster apps --namespace business --image ghcr.io/acme/wiki:1.2.3 --port 8080 --host wiki',
    'k8sops app new podinfo --cluster apps --namespace business --chart oci://ghcr.io/stefanprodan/charts/podinfo --version 6.14.1 --host podinfo',
    'k8sops app new bot --cluster apps --namespace business --image ghcr.io/acme/bot:4.5.6 --secret --internet --volume 5Gi',
  ],
  runbook: 'docs/runbooks/flux.md',
  async run(context) {
    const { root } = await context.repository()
    const { choice, record, notes } = await chosen(context, root)
    const [{ newApplicationFiles }, { runbookRow }, { changeFiles }, { lineDifference }] = await Promise.all([
      import('../../lib/repo/new-application.ts'),
      import('../../lib/repo/new-runbook.ts'),
      import('../../lib/repo/new-files.ts'),
      import('../../lib/tools/line-difference.ts'),
    ])
    const files = new Map([...newApplicationFiles(choice), ...record])
    const [list, table] = [layout.appList(choice.cluster), `${layout.runbooks}/README.md`]
    const [listed, tabled] = await Promise.all([list, table].map((file) => readFile(join(root, file), 'utf8')))
    const edited = new Map([
      [list, withListed(listed ?? '', list, `${choice.namespace}/${choice.name}`)],
      [table, (tabled ?? '').replace(/(^\| .*\n)(?!\|)/m, (last) => `${last}${runbookRow(choice)}\n`)],
    ])
    await changeFiles(root, { fresh: files, edited })
    context.note(lineDifference(list, listed ?? '', edited.get(list) ?? ''))
    for (const note of notes) context.note(note)
    context.note('look through it, then: k8sops validate && k8sops diff')
    return {
      kind: 'ApplicationFiles',
      items: [...files.keys()].map((file) => ({ file })),
      columns: [{ title: 'written', value: ({ file }) => String(file) }],
      fields: { notes },
    }
  },
})

/** All that is wrong with the options at once; then the chart, if it is one, is asked. */
async function chosen(context: CommandContext, root: string): Promise<Scaffold> {
  const { args, options } = context
  const { name = '' } = args
  const text = (option: string) => textOption(options[option])
  const [namespace = '', host, memory = ''] = [text('namespace'), text('host'), text('memory')]
  const [image, chart, version, port, volume] = [
    text('image'),
    text('chart'),
    text('version'),
    text('port'),
    text('volume'),
  ]
  const healthPath = text('healthPath') ?? '/'
  const wrong: [boolean, string][] = [
    [!/^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$/.test(name), `${name}: a name has lower-case letters, digits and hyphens`],
    [namespace === '', '--namespace is missing'],
    [
      namespace !== '' && !existsSync(join(root, layout.namespaces, namespace)),
      `there is no ${layout.namespaces}/${namespace}`,
    ],
    [(image === undefined) === (chart === undefined), 'one of --image and --chart'],
    [
      image !== undefined && !/^\S+(:[\w.-]+|@sha256:[0-9a-f]{64})$/.test(image),
      `--image ${image}: an image with its tag or digest`,
    ],
    [
      chart !== undefined && !/^oci:\/\/[\w.-]+(:\d+)?(\/[\w.-]+)+$/.test(chart),
      `--chart ${chart}: oci://host/path/chart`,
    ],
    [version !== undefined && chart === undefined, '--version is that of a --chart'],
    [
      version !== undefined && !/^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version),
      `--version ${version}: an exact one, 1.2.3`,
    ],
    [port !== undefined && !(Number(port) > 0 && Number(port) < 65_536), `--port ${port}: a number up to 65535`],
    [host !== undefined && port === undefined && chart === undefined, '--host needs --port: a route leads to it'],
    [
      host !== undefined && !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(host),
      `--host ${host}: one label, without the domain`,
    ],
    [!/^[1-9]\d*(Mi|Gi)$/.test(memory), `--memory ${memory}: a number with Mi or Gi`],
    [volume !== undefined && !/^[1-9]\d*(Mi|Gi|Ti)$/.test(volume), `--volume ${volume}: a number with Mi, Gi or Ti`],
    [!healthPath.startsWith('/'), `--health-path ${healthPath}: begins with /`],
  ]
  const said = wrong.flatMap(([is, what]) => (is ? [what] : []))
  if (said.length > 0) throw new UsageError(said.join('; '), { next: 'k8sops app new --help' })
  const cluster = await context.clusterName()
  if (!existsSync(join(root, layout.appList(cluster)))) throw new ConfigError(`there is no ${layout.appList(cluster)}`)
  const choice: NewApplication = {
    name,
    namespace,
    cluster,
    healthPath,
    memory,
    volume,
    service: name,
    runs: { image: image ?? '' },
    port: port === undefined ? undefined : Number(port),
    route: host === undefined ? undefined : { host, gateway: text('gateway') ?? '' },
    database: options.database === true,
    secret: options.secret === true,
    internet: options.internet === true,
  }
  return chart === undefined
    ? { choice, record: new Map(), notes: [] }
    : withRelease(context, root, choice, { url: chart, version })
}
