// Builds flate, which needs Go 1.27.
module k8sops.tools/flate

go 1.27.0

require github.com/home-operations/flate v0.6.5
