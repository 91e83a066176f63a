/** Rules about versions. */
import { kubernetesOfTalos } from '../../gates/kubernetes-releases.ts'
import { problem, type Rule, withTalconfig } from './rule.ts'

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
    const range = kubernetesOfTalos[minor]
    if (!range) {
      const known = Object.keys(kubernetesOfTalos).join(', ')
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
