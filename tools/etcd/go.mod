// Builds etcd from the Go module proxy (the version that Talos 1.12.11 defaults to).
module k8sops.tools/etcd

go 1.25.0

require go.etcd.io/etcd/server/v3 v3.6.11
