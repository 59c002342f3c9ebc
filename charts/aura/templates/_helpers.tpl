{{/* Name of all objects; at most 40 characters, so that a part's name still fits. */}}
{{- define "aura.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that find a component's pods; they never change. Takes a list: root, component. */}}
{{- define "aura.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* All labels of a component's objects. Takes a list: root, component. */}}
{{- define "aura.labels" -}}
{{- $root := index . 0 -}}
{{ include "aura.selector" . }}
app.kubernetes.io/part-of: aura
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "aura.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- printf "%s-operator" (include "aura.fullname" .) -}}
{{- else -}}
{{- fail "serviceAccount.name: name the ServiceAccount to use, since serviceAccount.create is false" -}}
{{- end -}}
{{- end -}}

{{/* An image with the registry before it. Takes a list: root, name of the image in values. */}}
{{- define "aura.image" -}}
{{- $root := index . 0 -}}
{{- $image := index $root.Values.images (index . 1) -}}
{{- with $root.Values.imageRegistry }}{{ trimSuffix "/" . }}/{{ end }}{{ $image -}}
{{- end -}}

{{/* Namespaces of scope namespaced, as a JSON list; empty for the whole cluster. */}}
{{- define "aura.namespaces" -}}
{{- if eq .Values.scope "namespaced" -}}
{{- .Values.watchNamespaces | default (list .Release.Namespace) | uniq | toJson -}}
{{- else if .Values.watchNamespaces -}}
{{- fail "watchNamespaces: needs scope: namespaced; leave it empty for scope: cluster" -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{- define "aura.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Security context of every container. */}}
{{- define "aura.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What the pods of all shared parts have in common. Takes a list: root, user id of the image. */}}
{{- define "aura.sharedPod" -}}
{{- $root := index . 0 -}}
automountServiceAccountToken: false
# A Service called kafka would otherwise put KAFKA_PORT into Kafka's settings.
enableServiceLinks: false
terminationGracePeriodSeconds: 60
securityContext:
  runAsNonRoot: true
  runAsUser: {{ index . 1 }}
  runAsGroup: {{ index . 1 }}
  fsGroup: {{ index . 1 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- include "aura.pullSecrets" $root }}
{{- with $root.Values.shared.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.shared.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The volume of a shared part. Takes a list: root, size. */}}
{{- define "aura.sharedClaim" -}}
{{- $root := index . 0 -}}
volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      accessModes: [ReadWriteOnce]
      {{- with $root.Values.settings.storageClassName }}
      storageClassName: {{ . }}
      {{- end }}
      resources:
        requests:
          storage: {{ index . 1 }}
{{- end -}}

{{/* Service and NetworkPolicy before a shared part. Takes a list: root, part, port's name, port. */}}
{{- define "aura.sharedService" -}}
{{- $root := index . 0 -}}
{{- $part := index . 1 -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "aura.fullname" $root }}-{{ $part }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "aura.labels" (list $root $part) | nindent 4 }}
spec:
  selector:
    {{- include "aura.selector" (list $root $part) | nindent 4 }}
  ports:
    - name: {{ index . 2 }}
      port: {{ index . 3 }}
      targetPort: {{ index . 2 }}
{{- if $root.Values.networkPolicy.enabled }}
---
{{ include "aura.networkPolicy" (list $root $part (index . 2)) }}
{{- end }}
{{- end -}}

{{/* Only one port of a component can be reached. Takes a list: root, component, port's name. */}}
{{- define "aura.networkPolicy" -}}
{{- $root := index . 0 -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "aura.fullname" $root }}-{{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "aura.labels" (list $root (index . 1)) | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "aura.selector" (list $root (index . 1)) | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    - ports:
        - port: {{ index . 2 }}
          protocol: TCP
      {{- with $root.Values.networkPolicy.from }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}
