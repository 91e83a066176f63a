// Builds VictoriaLogs: what the dashboards' log panels are tried on.
module k8sops.tools/victoria-logs

go 1.26.5

require github.com/VictoriaMetrics/VictoriaLogs v1.52.1
