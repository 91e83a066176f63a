/** Commands on alerts: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const alertsCommands: CommandEntry[] = [
  {
    path: 'alerts list',
    summary: 'List what fires, the worst first',
    load: async () => (await import('./list.ts')).alertsList,
  },
  {
    path: 'alerts show',
    summary: 'Show one alert whole: labels, text, runbook, silences',
    load: async () => (await import('./show.ts')).alertsShow,
  },
  {
    path: 'alerts silence',
    summary: 'Let nobody be woken by some alerts for a while, with a reason',
    load: async () => (await import('./silence.ts')).alertsSilence,
  },
  {
    path: 'alerts silence-post',
    summary: 'Give Alertmanager a silence from stdin',
    hidden: true,
    load: async () => (await import('./silence-post.ts')).alertsSilencePost,
  },
  {
    path: 'alerts silence-body',
    summary: 'Print a silence as Alertmanager takes it',
    hidden: true,
    load: async () => (await import('./silence-body.ts')).alertsSilenceBody,
  },
]
