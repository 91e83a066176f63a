/** What Flux says to others, and as whom it applies what others wrote. */
import { dig, textAt } from '../fields.ts'
import { about, aboutKustomization, each, type Rule } from './rule.ts'
import { ofKind } from './view.ts'

/** Those that write to a commit want every event; everybody else is woken by them. */
const ofCommits = /^(github|gitlab|gitea|bitbucket|bitbucketserver|azuredevops)$/

export const notificationRules: Rule[] = [
  {
    id: 'event-says-whose',
    demands:
      'Events that wake somebody are errors and name their cluster; a commit’s status of several clusters names each by an expression',
    why: 'Without a severity every commit that is applied wakes somebody, and of two clusters the one hides the other',
    fix: 'Alert: eventSeverity: error, eventMetadata.cluster; Provider of commits: commitStatusExpr',
    source: 'Flux, FR12',
    scope: 'house',
    check: (view) =>
      each((cluster) => {
        const types = new Map(ofKind(cluster, 'Provider').map((one) => [one.name, textAt(one.object(), 'spec.type')]))
        const isOfCommits = (name: string | undefined) => ofCommits.test(types.get(name ?? '') ?? '')
        return [
          ...ofKind(cluster, 'Alert.notification.toolkit.fluxcd.io')
            .filter((one) => !isOfCommits(textAt(one.object(), 'spec.providerRef.name')))
            .flatMap((one) =>
              ['eventSeverity', 'eventMetadata.cluster']
                .filter((key) => textAt(one.object(), `spec.${key}`) === undefined)
                .map((key) => about(one, `${key} is unset`, ['spec'])),
            ),
          ...ofKind(cluster, 'Provider.notification.toolkit.fluxcd.io')
            .filter(({ name }) => view.clusters.length > 1 && isOfCommits(name))
            .filter((one) => textAt(one.object(), 'spec.commitStatusExpr') === undefined)
            .map((one) => about(one, 'commitStatusExpr is unset', ['spec'])),
        ]
      })(view),
  },
  {
    id: 'foreign-source-confined',
    demands: 'What another repository has is applied as a ServiceAccount of its own, in one namespace',
    why: 'Without serviceAccountName kustomize-controller applies it as itself: whoever may push there has the cluster',
    fix: 'serviceAccountName and targetNamespace',
    source: 'Flux, multi-tenancy; NFR14',
    scope: 'house',
    check: each(({ rendered }) =>
      rendered
        .map(({ kustomization }) => kustomization)
        .filter(({ isForeign }) => isForeign)
        .flatMap((one) =>
          ['serviceAccountName', 'targetNamespace']
            .filter((key) => dig(one.raw, key) === undefined)
            .map((key) => aboutKustomization(one, `applies another repository without ${key}`, ['spec'])),
        ),
    ),
  },
]
