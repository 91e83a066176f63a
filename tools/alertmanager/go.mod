// Builds alertmanager: what silences are held against.
module k8sops.tools/alertmanager

go 1.26

require github.com/prometheus/alertmanager v0.28.1
