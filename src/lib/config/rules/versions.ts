/** Rules about versions. The table is Talos' own: machinery's compatibility packages at v1.14.0-alpha.2. */
import { problem, type Rule, withTalconfig } from './rule.ts'

/** Talos minor -> lowest and highest Kubernetes minor that it accepts. */
const kubernetesOf: Record<string, [number, number]> = {
  '1.10': [28, 33],
  '1.11': [29, 34],
  '1.12': [30, 35],
  '1.13': [31, 36],
}

const version = /^v?(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?$/

/** Unset, talhelper takes the newest Talos that its binary knows, so two operators would install two versions. */
const versionsSet: Rule = (files) =>
  withTalconfig(files).flatMap(({ talconfig, talconfigFile }) =>
    (['talosVersion', 'kubernetesVersion'] as const).flatMap((key) => {
      const value = talconfig[key]
      if (value === undefined) return [problem(talconfigFile, ['clusterName'], `${key} is unset`)]
      if (version.test(value)) return []
      return [problem(talconfigFile, [key], `${key}: ${value} is no version (v1.2.3)`)]
    }),
  )

const supported: Rule = (files) =>
  withTalconfig(files).flatMap(({ talconfig, talconfigFile }) => {
    const talos = version.exec(talconfig.talosVersion ?? '')
    const kubernetes = version.exec(talconfig.kubernetesVersion ?? '')
    if (!talos || !kubernetes) return []
    const minor = `${talos[1]}.${talos[2]}`
    const range = kubernetesOf[minor]
    if (!range) {
      const known = Object.keys(kubernetesOf).join(', ')
      return [
        problem(
          talconfigFile,
          ['talosVersion'],
          `talosVersion: Talos ${minor} is not one that k8sops knows (${known})`,
        ),
      ]
    }
    const [low, high] = range
    if (kubernetes[1] === '1' && Number(kubernetes[2]) >= low && Number(kubernetes[2]) <= high) return []
    const message = `Talos ${minor} supports Kubernetes 1.${low} to 1.${high}, not ${talconfig.kubernetesVersion}`
    return [problem(talconfigFile, ['kubernetesVersion'], `kubernetesVersion: ${message}`)]
  })

export const versionRules: Rule[] = [versionsSet, supported]
