{{- /* The name of all objects: that of the release, which may hold the chart's. */ -}}
{{- define "deviceflow.name" -}}
{{- if contains "deviceflow" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-deviceflow" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* The labels by which the pods of this release are found. */ -}}
{{- define "deviceflow.pods" -}}
app.kubernetes.io/name: deviceflow
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "deviceflow.labels" -}}
{{ include "deviceflow.pods" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}
