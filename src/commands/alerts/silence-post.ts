import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { ToolError, UsageError } from '../../lib/errors.ts'

/** The end of the pipeline of `alerts silence`. It writes nothing but silences. */
export const alertsSilencePost = defineCommand({
  path: 'alerts silence-post',
  summary: 'Give Alertmanager a silence from stdin',
  effect: 'local',
  scope: 'none',
  args: { path: "of its silences, behind the API server's proxy" },
  options: [{ flags: '--context <name>', description: 'kube context' }],
  examples: [
    'k8sops alerts silence-body ... | k8sops alerts silence-post --context infra /api/v1/namespaces/n/services/s:http/proxy/api/v2/silences',
  ],
  async run({ args, options, postRaw, out }) {
    const [context, path = ''] = [textOption(options.context), args.path]
    if (!context) throw new UsageError('--context is missing')
    if (!/^\/api\/v1\/namespaces\/[^/]+\/services\/[^/]+\/proxy\/api\/v2\/silences$/.test(path))
      throw new UsageError(`${path} is no path of Alertmanager's silences`)
    const chunks: Buffer[] = []
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
    const posted = await postRaw(context, path, Buffer.concat(chunks).toString('utf8'))
    if (!posted.ok) throw new ToolError('Alertmanager has not taken the silence', { output: posted.detail })
    out(posted.value.trim())
    return undefined
  },
})
