/** Which Kubernetes versions go with a Talos, and which step between two is supported. */

/** Talos minor -> lowest and highest Kubernetes minor that it accepts (machinery's compatibility packages at v1.14.0-alpha.2). */
export const kubernetesOfTalos: Record<string, [low: number, high: number]> = {
  '1.10': [28, 33],
  '1.11': [29, 34],
  '1.12': [30, 35],
  '1.13': [31, 36],
}

/**
 * Why a node or control plane may not go from one Kubernetes to another, or undefined when it may: any patch of the same
 * minor, or one minor up, as `talosctl upgrade-k8s` 1.12 has it. It goes down only within a minor.
 * @param from `v1.35.4`
 * @param talos what the machines run, `v1.12.11`
 */
export function kubernetesStepFault(from: string, to: string, talos: string): string | undefined {
  const [old, wanted, os] = [parse(from), parse(to), parse(talos)]
  if (!old) return `runs ${from || 'an unknown version'}, which is no release`
  if (!wanted) return `${to} is no release`
  const range = os && kubernetesOfTalos[`1.${os.minor}`]
  if (!range) return `Talos ${talos || 'of an unknown version'}: which Kubernetes it runs is not known to k8sops`
  const [low, high] = range
  if (wanted.minor < low || wanted.minor > high)
    return `Talos ${talos} runs Kubernetes 1.${low} to 1.${high}, not ${to}`
  const minors = wanted.minor - old.minor
  if (minors < 0) return `${from} to ${to} goes down a minor version, which Kubernetes does not support`
  if (minors > 1) return `${from} to ${to} skips ${minors - 1} minor version${minors > 2 ? 's' : ''}`
  return undefined
}

function parse(text: string): { minor: number } | undefined {
  const minor = /^v1\.(\d+)\.\d+$/.exec(text)?.[1]
  return minor === undefined ? undefined : { minor: Number(minor) }
}
