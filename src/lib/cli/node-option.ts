/** `--node` and node arguments, the same for every command that has them. */
import type { Repository } from '../config/load.ts'
import type { CompletionSource, OptionSpec } from './define.ts'

const hostnames = ({ clusters }: Repository): string[] =>
  clusters.flatMap(({ nodes }) => nodes.map(({ hostname }) => hostname))

/** @param otherwise what is meant without it */
export const nodesOption = (otherwise: string): OptionSpec => ({
  flags: '--node <name...>',
  description: `only these nodes (default: ${otherwise})`,
  complete: hostnames,
})

export const nodeOption = (description: string): OptionSpec => ({
  flags: '--node <name>',
  description,
  complete: hostnames,
})

export const nodeArgument = { node: 'hostname, as in talconfig.yaml' }
export const nodesArgument = { 'node...': 'hostnames, as in talconfig.yaml' }

export const reasonOption: OptionSpec = {
  flags: '--reason <text>',
  description: 'why; it stands on the node and in `node list`',
}

export const settleTimeoutOption: OptionSpec = {
  flags: '--settle-timeout <duration>',
  description: 'how long the cluster may take to be well before and after each node',
  default: '30m',
}

export const drainTimeoutOption: OptionSpec = {
  flags: '--drain-timeout <duration>',
  description: 'how long the eviction of one node may take',
  default: '10m',
}

export const completeNode = {
  node: async ({ repository }: CompletionSource): Promise<string[]> => {
    const found = await repository()
    return found ? hostnames(found) : []
  },
}

export const nodeTimeoutOption: OptionSpec = {
  flags: '--node-timeout <duration>',
  description: 'how long the machine may take, each time it is waited for',
  default: '15m',
}

/** Of what takes a machine out for good. */
export const removalOptions: OptionSpec[] = [
  { flags: '--wipe', description: "the machine's system and its data are wiped", default: false },
  { flags: '--wipe-volume <name...>', description: 'user volumes of talconfig.yaml that are wiped as well' },
  { flags: '--gone', description: 'the machine is dead and does not come back', default: false },
  drainTimeoutOption,
  settleTimeoutOption,
  { flags: '--reset-timeout <duration>', description: 'how long the wipe may take', default: '15m' },
]

/** @param what has to be named */
export const confirmOption = (what: string): OptionSpec => ({
  flags: '--confirm <name>',
  description: `the name of ${what}, instead of typing it; --yes is not enough`,
})
