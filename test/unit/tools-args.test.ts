/** Every argv that a plan can hold, as the line that an operator pastes. */
import { expect, it } from 'vitest'
import { shellLine } from '../../src/lib/exec/render.ts'
import * as filters from '../../src/lib/tools/filters.args.ts'
import * as helmfile from '../../src/lib/tools/helmfile.args.ts'
import * as kubectl from '../../src/lib/tools/kubectl.args.ts'
import * as op from '../../src/lib/tools/op.args.ts'
import * as sops from '../../src/lib/tools/sops.args.ts'
import * as talhelper from '../../src/lib/tools/talhelper.args.ts'
import * as talosctl from '../../src/lib/tools/talosctl.args.ts'

const node = '10.25.13.11'
const talosconfig = 'talos/apps/clusterconfig/talosconfig'
const selection = { file: 'bootstrap/helmfile.d/01-apps.yaml.gotmpl', environment: 'apps', context: 'apps' }
const talsecret = 'talos/apps/talsecret.sops.yaml'

it('builds the argv of every tool', () => {
  const lines = [
    talosctl.insecureMachineStatusArgs(node),
    talosctl.getArgs(talosconfig, node, 'machinestatus'),
    talosctl.getArgs(talosconfig, node, 'timestatus', 'node'),
    talosctl.etcdMembersArgs(talosconfig, node),
    talosctl.applyConfigInsecureArgs(node, 'talos/apps/clusterconfig/apps-apps-cp1.yaml'),
    talosctl.bootstrapArgs(talosconfig, node),
    talosctl.kubeconfigArgs(talosconfig, node),
    talosctl.validateArgs('talos/apps/clusterconfig/apps-apps-cp1.yaml'),
    talhelper.gensecretArgs(),
    talhelper.genconfigArgs(
      { talconfig: 'talos/apps/talconfig.yaml', talsecret, out: 'talos/apps/clusterconfig' },
      'op://k8s-ops/sops-age/private-key',
    ),
    sops.encryptStdinArgs(talsecret),
    op.whoamiArgs(),
    op.readArgs('op://k8s-ops/sops-age/private-key'),
    op.injectArgs('bootstrap/apps/secrets.yaml.tpl'),
    kubectl.applyStdinArgs('apps'),
    kubectl.applyStdinArgs('apps', { forceConflicts: true }),
    kubectl.deletePendingReleasesArgs('apps', 'kube-system', ['cilium', 'coredns']),
    helmfile.templateArgs(selection),
    helmfile.syncReleaseArgs(selection, { name: 'cilium', namespace: 'kube-system' }),
    filters.selectKindArgs('CustomResourceDefinition'),
    filters.mergeKubeconfigArgs('apps'),
    filters.storeEncryptedArgs(talsecret),
  ]
  expect(lines.map((command) => shellLine([command])).join('\n')).toMatchInlineSnapshot(`
    "talosctl -n 10.25.13.11 get machinestatus --insecure -o json
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 get machinestatus -o json
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 get timestatus node -o json
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 etcd members
    talosctl apply-config --insecure -n 10.25.13.11 -f talos/apps/clusterconfig/apps-apps-cp1.yaml
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 bootstrap
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 kubeconfig --merge=false -
    talosctl validate -m metal --strict -c talos/apps/clusterconfig/apps-apps-cp1.yaml
    talhelper gensecret
    SOPS_AGE_KEY="$(op read op://k8s-ops/sops-age/private-key)" talhelper genconfig --offline-mode -c talos/apps/talconfig.yaml -s talos/apps/talsecret.sops.yaml -o talos/apps/clusterconfig
    sops encrypt --filename-override talos/apps/talsecret.sops.yaml --input-type yaml --output-type yaml
    op whoami --format json
    op read op://k8s-ops/sops-age/private-key
    op inject -i bootstrap/apps/secrets.yaml.tpl
    kubectl --context apps apply --server-side -f -
    kubectl --context apps apply --server-side --force-conflicts -f -
    kubectl --context apps -n kube-system delete secret -l 'owner=helm,name in (cilium,coredns),status in (pending-install,pending-upgrade,pending-rollback)'
    helmfile --quiet -f bootstrap/helmfile.d/01-apps.yaml.gotmpl -e apps --kube-context apps template --include-crds
    helmfile --quiet -f bootstrap/helmfile.d/01-apps.yaml.gotmpl -e apps --kube-context apps -l name=cilium,namespace=kube-system sync --skip-needs
    k8sops yaml select --kind CustomResourceDefinition
    k8sops kubeconfig merge --context apps
    k8sops sops store talos/apps/talsecret.sops.yaml"
  `)
})

it('never aims a Talos call at more than one node, nor at the VIP', () => {
  for (const { args } of [talosctl.bootstrapArgs(talosconfig, node), talosctl.kubeconfigArgs(talosconfig, node)]) {
    expect(args.filter((arg) => arg === '-n')).toHaveLength(1)
    expect(args[args.indexOf('-e') + 1]).toBe(node)
  }
})
