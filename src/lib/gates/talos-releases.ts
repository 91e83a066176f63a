/** Which steps between Talos versions are supported: any patch of the same minor, or one minor up from its latest patch. */

/**
 * The latest patch of each minor version. Renovate keeps each within its minor (renovate.json5); a new minor is added by hand. Where
 * there is a newer one than stands here nothing breaks: a machine that runs it counts as up to date, and the step from the one
 * that stands here is allowed as before.
 */
const latestPatches = [
  // renovate: datasource=github-releases depName=siderolabs/talos
  'v1.12.11',
  // renovate: datasource=github-releases depName=siderolabs/talos
  'v1.13.8',
]

interface Version {
  major: number
  minor: number
  patch: number
}

/**
 * Why a machine may not go from one version to another, or undefined when it may.
 * @param from what it runs, `v1.12.11`
 * @param downgrade a lower version was asked for on purpose
 */
export function stepFault(from: string, to: string, downgrade: boolean): string | undefined {
  const [old, wanted] = [parse(from), parse(to)]
  if (!old) return `runs ${from || 'an unknown version'}, which is no release`
  if (!wanted) return `${to} is no release`
  const step = `${from} to ${to}`
  if (old.major !== wanted.major) return `${step} changes the major version`
  const minors = wanted.minor - old.minor
  const down = minors < 0 || (minors === 0 && wanted.patch < old.patch)
  if (down && !downgrade) return `${step} is a downgrade, which --downgrade allows`
  if (Math.abs(minors) > 1)
    return `${step} skips ${Math.abs(minors) - 1} minor version${Math.abs(minors) > 2 ? 's' : ''}`
  if (minors < 1) return undefined
  const line = `v${old.major}.${old.minor}.`
  const latest = latestPatches.find((release) => release.startsWith(line))
  if (latest === undefined)
    return `${step}: the latest patch of ${old.major}.${old.minor} is not known to k8sops; add it in src/lib/gates/talos-releases.ts`
  if (old.patch >= Number(latest.slice(line.length))) return undefined
  return `${step} starts from an old patch: first to ${latest}`
}

/** Releases only: what a pre-release may be upgraded to, nobody says. */
function parse(text: string): Version | undefined {
  const [, major, minor, patch] = /^v(\d+)\.(\d+)\.(\d+)$/.exec(text) ?? []
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor), patch: Number(patch) }
}
