#!/usr/bin/env bash
# The yardstick for `k8sops talos upgrade --rolling`: the same nodes, in the way in which home-ops repositories script it: one
# `talosctl upgrade` after the other, and a sleep in between, in the hope that everything is well by then. It looks at no
# database, no storage, no version afterwards. Written for this comparison; it is no model for anything.
#
#   k8sops lab exec --cluster apps -- bash "$PWD/bench/peer-upgrade.sh" VERSION [CLUSTER]
#
# PEER_SLEEP: seconds between two nodes; 60 there, 6 in a lab at pace 0.1.
set -Eeuo pipefail

version=$1
cluster=${2:-${K8SOPS_CLUSTER:-apps}}
export TALOSCONFIG=$PWD/talos/$cluster/clusterconfig/talosconfig
images=$(talhelper genurl installer --offline-mode -c "talos/$cluster/talconfig.yaml")

awk '/hostname:/ {name = $3} /ipAddress:/ {print name, $2}' "talos/$cluster/talconfig.yaml" | while read -r name address; do
  image=$(sed -n "s/^$name: \(.*\):v[0-9.]*$/\1/p" <<< "$images")
  talosctl -e "$address" -n "$address" upgrade --image "$image:$version" --timeout 20m
  sleep "${PEER_SLEEP:-6}"
done
