#!/usr/bin/env bash
# The yardstick for `k8sops bootstrap`: the same work, on the same machines, in the way in which home-ops repositories
# script it: one command after the other, a loop with a sleep wherever something may not be there yet, error messages
# searched for words. Written for this comparison; it is no model for anything.
#
#   k8sops lab up --cluster apps && k8sops lab exec --cluster apps -- bash "$PWD/bench/peer-bootstrap.sh" [CLUSTER]
#
# The working directory is the repository (in the lab: its copy). CLUSTER: argument, K8SOPS_CLUSTER, `apps`.
# PEER_SLEEP: seconds between two tries, 10 as there. Ends after PEER_LIMIT seconds (3600), whatever it waits for.
set -Eeuo pipefail

if [[ -z "${PEER_STARTED:-}" ]]; then
  # Loops of this kind have no limit of their own; a comparison needs one.
  export PEER_STARTED=1
  exec timeout --foreground "${PEER_LIMIT:-3600}" bash "$0" "$@"
fi

cluster=${1:-${K8SOPS_CLUSTER:-apps}}
pause=${PEER_SLEEP:-10}
talos=talos/$cluster
configs=$talos/clusterconfig
export TALOSCONFIG=$PWD/$configs/talosconfig
KUBECONFIG=$(mktemp) # its own: the comparison must not find what another bootstrap left in the operator's file
export KUBECONFIG
trap 'rm -f "$KUBECONFIG"' EXIT
trap 'echo "failed in line $LINENO: $BASH_COMMAND" >&2' ERR

begin=$SECONDS
phase() { printf '%5d s  %s\n' "$((SECONDS - begin))" "$*" >&2; }

phase "machine configs"
SOPS_AGE_KEY=$(op read "$(sed -n 's/^ *ageKey: *\(op:[^ ]*\).*/\1/p' k8sops.yaml)")
export SOPS_AGE_KEY
if [[ ! -s $talos/talsecret.sops.yaml ]]; then
  echo "$talos/talsecret.sops.yaml is missing: k8sops talos gensecret --cluster $cluster" >&2
  exit 2
fi
talhelper genconfig --offline-mode -c "$talos/talconfig.yaml" -s "$talos/talsecret.sops.yaml" -o "$configs" >/dev/null

phase "apply configs"
# talhelper prints one talosctl line per machine, and each ends in a semicolon.
talhelper gencommand apply -c "$talos/talconfig.yaml" -o "$configs" --extra-flags=--insecure |
  while IFS= read -r line; do
    until out=$(bash -c "${line%;}" 2>&1 </dev/null); do
      if grep -q 'certificate required' <<<"$out"; then
        echo "configured already: ${line##* }" >&2
        break
      fi
      sleep "$pause"
    done
  done

phase "bootstrap etcd"
control=$(talosctl config info -o json | tr -d ' \n"' | sed 's/.*endpoints:\[\([^],]*\).*/\1/')
until out=$(talosctl -e "$control" -n "$control" bootstrap 2>&1) || grep -q 'AlreadyExists' <<<"$out"; do
  sleep "$pause"
done

phase "kubeconfig"
until talosctl -e "$control" -n "$control" kubeconfig "$KUBECONFIG" --force --force-context-name "$cluster" >/dev/null 2>&1; do
  sleep "$pause"
done

phase "nodes"
if ! kubectl wait nodes --for=condition=Ready=True --all --timeout=10s >/dev/null 2>&1; then
  until kubectl wait nodes --for=condition=Ready=False --all --timeout=10s >/dev/null 2>&1; do
    sleep "$pause"
  done
fi

phase "namespaces and secrets"
for namespace in cert-manager external-secrets flux-system networking observability; do
  kubectl create namespace "$namespace" --dry-run=client -o yaml | kubectl apply --server-side -f - >/dev/null
done
op inject -i "bootstrap/$cluster/secrets.yaml.tpl" | kubectl apply --server-side -f - >/dev/null

phase "CRDs"
helmfile --quiet -f bootstrap/helmfile.d/00-crds.yaml.gotmpl -e "$cluster" template --include-crds |
  awk '/^---/ { if (crd) printf "---\n%s", text; text = ""; crd = 0; next }
       /^ *"?kind"?: *"?CustomResourceDefinition/ { crd = 1 }
       { text = text $0 "\n" }
       END { if (crd) printf "---\n%s", text }' |
  kubectl apply --server-side --force-conflicts -f - >/dev/null
until kubectl wait crd --for=condition=Established --all --timeout=10s >/dev/null 2>&1; do
  sleep "$pause"
done

phase "releases"
helmfile --quiet -f bootstrap/helmfile.d/01-apps.yaml.gotmpl -e "$cluster" sync --hide-notes >/dev/null

phase "nodes Ready"
until kubectl wait nodes --for=condition=Ready --all --timeout=10s >/dev/null 2>&1; do
  sleep "$pause"
done

phase "Flux"
until kubectl -n flux-system wait fluxinstance/flux --for=condition=Ready --timeout=10s >/dev/null 2>&1; do
  sleep "$pause"
done
# A list that is still empty, or still growing, passes `wait --all` too early; so the entry's own children come first.
for name in flux-system infrastructure apps; do
  until kubectl -n flux-system wait "kustomization/$name" --for=condition=Ready --timeout=10s >/dev/null 2>&1; do
    sleep "$pause"
  done
done
for kind in kustomizations helmreleases; do
  until kubectl wait "$kind" -A --for=condition=Ready --all --timeout=10s >/dev/null 2>&1; do
    sleep "$pause"
  done
done
until kubectl wait clustersecretstore/onepassword --for=condition=Ready --timeout=10s >/dev/null 2>&1; do
  sleep "$pause"
done

phase "done"
