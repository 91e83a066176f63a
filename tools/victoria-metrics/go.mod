// Builds VictoriaMetrics' single node, vmagent, vmalert and vmalert-tool: what rules and dashboards are tried on. The version of chart
// victoria-metrics-k8s-stack.
module k8sops.tools/victoria-metrics

go 1.26.2

require github.com/VictoriaMetrics/VictoriaMetrics v1.140.0
