/** Everything that is printed, in the format of -o: data on stdout, the rest on stderr. Loads what it needs when it needs it. */
import { writeFileSync } from 'node:fs'
import { writeJsonFile } from '../engine/journal.ts'
import type { Plan, RunResult } from '../types.ts'
import type { OutputFormat } from '../ui/data-text.ts'
import type { PlanSurroundings } from '../ui/plan-text.ts'
import type { View } from '../ui/view.ts'
import type { Data, Live } from './define.ts'
import type { OptionValues } from './options.ts'
import type { Invocation } from './services.ts'

export interface Output {
  note: (text: string) => void
  data: (data: Data) => Promise<void>
  plan: (plan: Plan, around: PlanSurroundings) => Promise<void>
  /** Cluster, context and endpoints, before anything is written. */
  surroundings: (plan: Plan, around: PlanSurroundings) => Promise<void>
  openView: () => Promise<View>
  openLive: () => Promise<Live>
  /** The timeline on stdout, and on stderr why it stopped. */
  result: (result: RunResult) => Promise<void>
  /** `.json` and `.md` by the file's ending, both when it has none. */
  report: (result: RunResult, file: string) => Promise<void>
  error: (error: unknown) => Promise<void>
}

export function createOutput(invocation: Invocation, options: OptionValues): Output {
  const { stdout, stderr, env } = invocation
  const format = String(options.output ?? 'table') as OutputFormat
  const json = format === 'json'
  const wantsColour = options.color !== false
  const colours = async (stream: { isTTY?: boolean }) =>
    (await import('../ui/colours.ts')).createColours(stream, env, wantsColour)
  const width = stdout.isTTY ? stdout.columns : undefined
  const out = (text: string) => void stdout.write(`${text}\n`)
  const note = (text: string) => void stderr.write(`${text}\n`)
  const viewName = async () =>
    (await import('../ui/view.ts')).chooseView(String(options.progress ?? 'auto'), stderr, env, json)
  const inActions = env.GITHUB_ACTIONS === 'true'

  return {
    note,
    data: async (data) => {
      if (data.streamed) return
      const { renderData } = await import('../ui/data-text.ts')
      const text = await renderData(data, format, width)
      if (text !== '') out(text)
    },
    plan: async (plan, around) => {
      if (format === 'json') return out(JSON.stringify(plan, null, 2))
      if (format === 'yaml') return out((await import('yaml')).stringify(plan).trimEnd())
      if (format === 'name') return out(plan.steps.map(({ id }) => id).join('\n'))
      const { renderPlan } = await import('../ui/plan-text.ts')
      out(renderPlan(plan, around, await colours(stdout)))
    },
    surroundings: async (plan, around) => {
      // A stream of JSON stays one.
      if ((await viewName()) === 'json')
        return note(JSON.stringify({ type: 'target', cluster: plan.cluster, ...around }))
      const { renderSurroundings } = await import('../ui/plan-text.ts')
      note([`${plan.operation}  cluster ${plan.cluster}`, ...renderSurroundings(around)].join('\n'))
    },
    openView: async () => {
      const name = await viewName()
      if (name === 'tty') return (await import('../ui/tty-view.ts')).createTtyView(stderr, await colours(stderr))
      if (name === 'json') return (await import('../ui/ndjson-view.ts')).createNdjsonView(note)
      if (name === 'github') return (await import('../ui/github-view.ts')).createGithubView(note, env)
      return (await import('../ui/plain-view.ts')).createPlainView(note, await colours(stderr))
    },
    openLive: async () => {
      const { openScreen } = await import('../ui/screen.ts')
      const plain = json || format === 'yaml' || env.TERM === 'dumb'
      return { screen: plain ? undefined : openScreen(stdout), colours: await colours(stdout), json }
    },
    result: async (result) => {
      if (format === 'json') return out(JSON.stringify(result, null, 2))
      if (format === 'yaml') return out((await import('yaml')).stringify(result).trimEnd())
      if (format === 'name') return out(result.runId)
      const { renderFailure, renderResult } = await import('../ui/result-text.ts')
      if (result.error) note(renderFailure(result.error, await colours(stderr)))
      out(renderResult(result, await colours(stdout), width))
    },
    report: async (result, file) => {
      const { renderReport } = await import('../ui/result-text.ts')
      const bare = file.replace(/\.(json|md)$/, '')
      if (!file.endsWith('.md')) writeJsonFile(`${bare}.json`, result)
      if (!file.endsWith('.json')) writeFileSync(`${bare}.md`, renderReport(result))
    },
    error: async (error) => {
      const { errorData, renderError } = await import('../ui/error-text.ts')
      if (json) return note(JSON.stringify(errorData(error)))
      if (inActions) {
        const { annotateError } = await import('../ui/github-view.ts')
        for (const line of annotateError(error)) note(line)
      }
      note(renderError(error, await colours(stderr)))
    },
  }
}
