import { cell, defineCommand } from '../../lib/cli/define.ts'
import { componentFields, library } from './library.ts'

export const componentList = defineCommand({
  path: 'component list',
  summary: 'List the pieces that an application may be given: route, database, backup, policies',
  effect: 'read',
  scope: 'repository',
  examples: ['k8sops component list', "k8sops component list -o json | jq -r '.items[] | .name, .users[]'"],
  async read(context) {
    const components = await library(context)
    return {
      kind: 'ComponentList',
      items: components.map(componentFields),
      columns: [
        { title: 'component', value: cell('name') },
        { title: 'makes', value: ({ kinds }) => (kinds as string[]).join(', ') },
        { title: 'used by', value: ({ users }) => `${(users as string[]).length} Kustomizations` },
        { title: 'directory', value: cell('directory'), wide: true },
      ],
    }
  },
})
