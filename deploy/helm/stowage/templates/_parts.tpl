{{- define "stowage.name" -}}
{{- if contains "stowage" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-stowage" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "stowage.selector" -}}
app.kubernetes.io/name: stowage
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "stowage.labels" -}}
{{ include "stowage.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "stowage.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* Variables of every process. Takes a list: the context, and the settings of this kind of process. */}}
{{- define "stowage.env" -}}
{{- $root := index . 0 }}
{{- $own := index . 1 }}
{{- with $root.Values }}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef: { name: {{ .database.secret }}, key: {{ .database.key }} }
- name: STOWAGE_BLOB_STORE
  value: {{ .blobs.store | default "file:/srv/stowage-blobs" | quote }}
{{- with .blobs.s3Endpoint }}
- name: STOWAGE_S3_ENDPOINT
  value: {{ . | quote }}
{{- end }}
- name: STOWAGE_SIGNING_KEY
  value: /etc/stowage/signing-key/{{ .signingKey.key }}
{{- if .secretsKey.secret }}
- name: STOWAGE_SECRETS_KEY
  value: /etc/stowage/secrets-key/{{ .secretsKey.key }}
{{- end }}
- name: STOWAGE_REGISTRY_URL
  value: http://{{ include "stowage.name" $root }}-gateway:{{ .gateway.service.port }}
{{- if .ingress.enabled }}
- name: STOWAGE_PUBLIC_URL
  value: {{ ternary "https" "http" (ne .ingress.tlsSecret "") }}://{{ .ingress.host }}
{{- end }}
{{- range $name, $value := merge (dict) $own .settings }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- with .extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "stowage.envFrom" -}}
{{- with .Values.blobs.s3Secret }}
- secretRef: { name: {{ . }} }
{{- end }}
{{- end }}

{{/* What every pod says of itself beside its containers. */}}
{{- define "stowage.pod" -}}
# Variables that Kubernetes makes of Services, STOWAGE_PORT among them, would be taken for settings.
enableServiceLinks: false
{{- if .Values.serviceAccount.name }}
serviceAccountName: {{ .Values.serviceAccount.name }}
{{- else }}
automountServiceAccountToken: false
{{- end }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "stowage.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "stowage.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "stowage.mounts" -}}
- { name: scratch, mountPath: /var/lib/stowage }
- { name: tmp, mountPath: /tmp }
- { name: signing-key, mountPath: /etc/stowage/signing-key, readOnly: true }
{{- if .Values.secretsKey.secret }}
- { name: secrets-key, mountPath: /etc/stowage/secrets-key, readOnly: true }
{{- end }}
{{- if .Values.blobs.claim }}
- { name: blobs, mountPath: /srv/stowage-blobs }
{{- end }}
{{- end }}

{{- define "stowage.volumes" -}}
- name: scratch
  emptyDir: { sizeLimit: {{ .Values.scratch.sizeLimit }} }
- name: tmp
  emptyDir: { sizeLimit: 4Gi }
- name: signing-key
  secret: { secretName: {{ .Values.signingKey.secret }}, defaultMode: 288 }
{{- if .Values.secretsKey.secret }}
- name: secrets-key
  secret: { secretName: {{ .Values.secretsKey.secret }}, defaultMode: 288 }
{{- end }}
{{- if .Values.blobs.claim }}
- name: blobs
  persistentVolumeClaim: { claimName: {{ .Values.blobs.claim }} }
{{- end }}
{{- end }}
