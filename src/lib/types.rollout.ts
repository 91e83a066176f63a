/** How a commit comes from the first cluster to the others (`rollout` in k8sops.yaml). Imported through types.ts. */

export interface SoakLabel {
  name: string
  hours: number
  /** A commit whose subject matches it (source text of a regular expression) has the label without saying so. */
  subject?: string
}

export interface RolloutPolicy {
  /** Names of clusters: the first soaks, the others follow. */
  order: string[]
  /** Of a commit without a label (hours). */
  soakHours: number
  /** By label of the commit; with several labels the longest soak counts. */
  labels: SoakLabel[]
  /** How often somebody is expected to look (minutes); more than two of them without a look are a gap. */
  tickMinutes: number
  /** So many restarts of containers between two looks are a regression. */
  restarts: number
  /** Gates of the first cluster that have to hold at each look, beside what is always looked at. */
  gates: string[]
  /** What a regression does to the time that was earned: nothing is counted while it lasts (`stop`), or all of it is lost (`restart`). */
  onRegression: 'restart' | 'stop'
  /** The same for a time in which nobody looked. */
  onGap: 'restart' | 'stop'
}
