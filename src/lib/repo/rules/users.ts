/** Whom vmauth lets in, and as whom others come: one name stands on both sides, on different clusters. */
import { leaves, listAt, mapAt, textAt } from '../fields.ts'
import type { YamlPath } from '../locate.ts'
import { about, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject, type RepositoryView } from './view.ts'

export const userRules: Rule[] = [
  {
    id: 'user-is-somebody',
    demands: 'Somebody comes as each VMUser, and whoever has the password of one comes as one of them',
    why: 'vmauth answers 401, and metrics and logs of a whole cluster pile up where they were made',
    fix: 'The same word as username of the VMUser and beside the password, in the template of the ExternalSecret or as http_User',
    source: 'VictoriaMetrics operator 0.69',
    scope: 'house',
    check: (view) => {
      const users = view.clusters.flatMap((cluster) =>
        ofKind(cluster, 'VMUser').map((one) => ({ one, cluster, username: textAt(one.object(), 'spec.username') })),
      )
      if (users.length === 0) return []
      const comers = comersOf(
        view,
        users.flatMap(({ one, cluster }) => itemsBehind(one, cluster)),
      )
      const come = new Set(comers.map(({ username }) => username))
      const known = new Set(users.map(({ username }) => username))
      return [
        ...users
          .filter(({ username }) => username !== undefined && !come.has(username))
          .map(({ one, cluster, username }) => ({
            ...about(one, `nobody comes as ${username}`, ['spec', 'username']),
            cluster: cluster.name,
          })),
        ...comers
          .filter(({ username }) => !known.has(username))
          .map(({ one, path, cluster, username }) => ({
            ...about(one, `comes as ${username}, which is no VMUser`, path),
            cluster: cluster.name,
          })),
      ]
    },
  },
]

const itemsOf = (secret: RenderedObject): string[] =>
  listAt(secret.object(), 'spec.data').flatMap((data) => textAt(data, 'remoteRef.key') ?? [])

/** Items of 1Password that the Secret with the user's password is made of. */
function itemsBehind(user: RenderedObject, cluster: ClusterView): string[] {
  const name = textAt(user.object(), 'spec.passwordRef.name')
  return ofKind(cluster, 'ExternalSecret')
    .filter((one) => one.namespace === user.namespace && madeBy(one) === name)
    .flatMap(itemsOf)
}

const madeBy = (secret: RenderedObject): string => textAt(secret.object(), 'spec.target.name') ?? secret.name

interface Comer {
  one: RenderedObject
  cluster: ClusterView
  username: string
  path: YamlPath
}

/** Names that stand beside the passwords: in templates of Secrets from these items, and in values of releases that read such a Secret. */
function comersOf({ clusters }: RepositoryView, items: readonly string[]): Comer[] {
  return clusters.flatMap((cluster) => {
    const secrets = ofKind(cluster, 'ExternalSecret').filter((one) => itemsOf(one).some((item) => items.includes(item)))
    const inTemplates = secrets.flatMap((one) =>
      Object.entries(mapAt(one.object(), 'spec.target.template.data'))
        .filter(([key, value]) => /username$/i.test(key) && !String(value).includes('{{'))
        .map(([key, value]) => ({
          one,
          cluster,
          username: String(value),
          path: ['spec', 'target', 'template', 'data', key],
        })),
    )
    const inValues = ofKind(cluster, 'HelmRelease')
      .filter((one) => {
        const said = new Set(leaves(one.object()).map(({ value }) => value))
        return secrets.some((secret) => secret.namespace === one.namespace && said.has(madeBy(secret)))
      })
      .flatMap((one) =>
        leaves(one.object()).flatMap(({ path, value }) =>
          [...String(value).matchAll(/^\s*http_User\s+(\S+)/gim)].map(([, username = '']) => ({
            one,
            cluster,
            username,
            path,
          })),
        ),
      )
    return [...inTemplates, ...inValues]
  })
}
