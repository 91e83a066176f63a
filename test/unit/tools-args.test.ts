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
const image = `factory.talos.dev/metal-installer/${'3'.repeat(64)}:v1.12.11`
const talsecret = 'talos/apps/talsecret.sops.yaml'

it('builds the argv of every tool', () => {
  const lines = [
    talosctl.insecureMachineStatusArgs(node),
    talosctl.machineStatusArgs(talosconfig, node),
    talosctl.applyConfigInsecureArgs(node, 'talos/apps/clusterconfig/apps-apps-cp1.yaml'),
    talosctl.bootstrapArgs(talosconfig, node),
    talosctl.kubeconfigArgs(talosconfig, node),
    talosctl.forfeitLeadershipArgs(talosconfig, node),
    talosctl.etcdSnapshotArgs(talosconfig, node, '/state/snapshots/apps/one.db'),
    talosctl.upgradeArgs(talosconfig, node, { image, timeoutSec: 1200 }),
    talosctl.upgradeArgs(talosconfig, node, { image, stage: true, rebootMode: 'powercycle', timeoutSec: 1200 }),
    talosctl.upgradeKubernetesArgs(talosconfig, node, 'v1.35.5'),
    talhelper.installerImagesArgs('talos/apps/talconfig.yaml'),
    talosctl.rebootArgs(talosconfig, node, { timeoutSec: 600 }),
    talosctl.rebootArgs(talosconfig, node, { mode: 'powercycle', timeoutSec: 600 }),
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
    kubectl.cordonArgs('apps', 'apps-w1', 'talos.upgrade/1'),
    kubectl.drainArgs('apps', 'apps-w1', 600),
    kubectl.uncordonArgs('apps', 'apps-w1', 'talos.upgrade/1'),
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
    talosctl apply-config --insecure -n 10.25.13.11 -f talos/apps/clusterconfig/apps-apps-cp1.yaml
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 bootstrap
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 kubeconfig --merge=false -
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 etcd forfeit-leadership
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 etcd snapshot /state/snapshots/apps/one.db
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 upgrade --image factory.talos.dev/metal-installer/3333333333333333333333333333333333333333333333333333333333333333:v1.12.11 --timeout 1200s
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 upgrade --image factory.talos.dev/metal-installer/3333333333333333333333333333333333333333333333333333333333333333:v1.12.11 --stage --reboot-mode powercycle --timeout 1200s
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 upgrade-k8s --to 1.35.5 --with-docs=false --with-examples=false
    talhelper genurl installer --offline-mode -c talos/apps/talconfig.yaml
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 reboot --timeout 600s
    talosctl --talosconfig talos/apps/clusterconfig/talosconfig -e 10.25.13.11 -n 10.25.13.11 reboot --mode powercycle --timeout 600s
    talosctl validate -m metal --strict -c talos/apps/clusterconfig/apps-apps-cp1.yaml
    talhelper gensecret
    SOPS_AGE_KEY="$(op read op://k8s-ops/sops-age/private-key)" talhelper genconfig --offline-mode -c talos/apps/talconfig.yaml -s talos/apps/talsecret.sops.yaml -o talos/apps/clusterconfig
    sops encrypt --filename-override talos/apps/talsecret.sops.yaml --input-type yaml --output-type yaml
    op whoami --format json
    op read op://k8s-ops/sops-age/private-key
    op inject -i bootstrap/apps/secrets.yaml.tpl
    kubectl --context apps apply --server-side -f -
    kubectl --context apps apply --server-side --force-conflicts -f -
    kubectl --context apps patch node apps-w1 --type merge -p '{"metadata":{"annotations":{"k8sops.dev/cordoned-by":"talos.upgrade/1"}},"spec":{"unschedulable":true}}'
    kubectl --context apps drain apps-w1 --ignore-daemonsets --delete-emptydir-data --timeout=600s
    kubectl --context apps patch node apps-w1 --type json -p '[{"op":"test","path":"/metadata/annotations/k8sops.dev~1cordoned-by","value":"talos.upgrade/1"},{"op":"remove","path":"/metadata/annotations/k8sops.dev~1cordoned-by"},{"op":"add","path":"/spec/unschedulable","value":false}]'
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
