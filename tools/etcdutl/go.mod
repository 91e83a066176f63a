// Builds etcdutl, with which the lab's etcd is restored from a snapshot. 3.6.6 is what talosctl 1.12.0 links: the checksum
// database that can be reached knows no later one. etcd itself is the one of ../etcd, whose packages it shares.
module k8sops.tools/etcdutl

go 1.25.0

require (
	go.etcd.io/etcd/etcdutl/v3 v3.6.6
	go.etcd.io/etcd/server/v3 v3.6.11
)
