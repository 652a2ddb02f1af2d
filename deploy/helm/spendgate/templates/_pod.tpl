{{- define "spendgate.check" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.database.secret) -}}
{{- fail (printf "replicas is %d, and database.secret is empty. On SQLite one server owns the file, so there is one replica. Set database.secret to a secret with the URL of a PostgreSQL, or replicas to 1." (int .Values.replicas)) -}}
{{- end -}}
{{- if and .Values.database.secret (not .Values.keys.secret) -}}
{{- fail "database.secret is set, and keys.secret is empty. Every replica needs the same master key and admin token: make a secret with master-key and admin-token, and name it in keys.secret." -}}
{{- end -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is empty. Build the image from the Dockerfile, push it where your cluster reads from, and name it here." -}}
{{- end -}}
{{- end -}}

{{- define "spendgate.labels" -}}
app.kubernetes.io/name: spendgate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "spendgate.pod" -}}
metadata:
  labels:
    {{- include "spendgate.labels" . | nindent 4 }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  # 5 s until nobody sends calls here any more, 25 s for those under way (SPENDGATE_DRAIN_MS), and time to book the rest.
  terminationGracePeriodSeconds: 45
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    runAsGroup: 1000
    fsGroup: 1000
    # At every other start files would be opened to the group, and the server refuses a data directory open to others.
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  {{- if .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range .Values.image.pullSecrets }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  containers:
    - name: spendgate
      image: {{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      env:
        # A directory of its own in the volume, which the server makes for itself alone.
        - { name: SPENDGATE_DATA_DIR, value: /data/spendgate }
        - { name: SPENDGATE_HOST, value: 0.0.0.0 }
        {{- if .Values.keys.secret }}
        - { name: SPENDGATE_MASTER_KEY_FILE, value: /keys/master-key }
        - { name: SPENDGATE_ADMIN_TOKEN_FILE, value: /keys/admin-token }
        {{- end }}
        {{- if .Values.database.secret }}
        - name: DATABASE_URL
          valueFrom:
            secretKeyRef: { name: {{ .Values.database.secret | quote }}, key: {{ .Values.database.key | quote }} }
        # What is in the pod goes with it: signed checkpoints go to the log, which is kept elsewhere.
        - { name: SPENDGATE_CHECKPOINTS, value: '-' }
        {{- end }}
        {{- if .Values.admin.tlsSecret }}
        - { name: SPENDGATE_ADMIN_HOST, value: 0.0.0.0 }
        - { name: SPENDGATE_TLS_CERT, value: /tls/tls.crt }
        - { name: SPENDGATE_TLS_KEY, value: /tls/tls.key }
        - name: SPENDGATE_ADMIN_HOST_NAMES
          value: {{ .Values.admin.hostNames | join "," | quote }}
        {{- end }}
        {{- range $name, $value := .Values.environment }}
        - { name: {{ $name | quote }}, value: {{ $value | quote }} }
        {{- end }}
      ports:
        - { name: agents, containerPort: 4242 }
        {{- if .Values.admin.tlsSecret }}
        - { name: admin, containerPort: 4243 }
        {{- end }}
      startupProbe:
        {{- include "spendgate.asks" (dict "root" . "path" "/healthz") | nindent 8 }}
        # Damage is looked for before the first call: seconds for a million calls.
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 60
      livenessProbe:
        {{- include "spendgate.asks" (dict "root" . "path" "/healthz") | nindent 8 }}
        periodSeconds: 20
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        {{- include "spendgate.asks" (dict "root" . "path" "/readyz") | nindent 8 }}
        periodSeconds: 10
        timeoutSeconds: 5
      lifecycle:
        preStop:
          exec: { command: [node, -e, 'setTimeout(() => {}, 5000)'] }
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - { name: ledger, mountPath: /data }
        {{- if .Values.keys.secret }}
        - { name: keys, mountPath: /keys, readOnly: true }
        {{- end }}
        {{- if .Values.admin.tlsSecret }}
        - { name: tls, mountPath: /tls, readOnly: true }
        {{- end }}
  # 288 is 0440: for the owner and the group, which YAML of two ages writes in two ways.
  volumes:
    {{- if .Values.database.secret }}
    - { name: ledger, emptyDir: { sizeLimit: 256Mi } }
    {{- end }}
    {{- if .Values.keys.secret }}
    - { name: keys, secret: { secretName: {{ .Values.keys.secret | quote }}, defaultMode: 288 } }
    {{- end }}
    {{- if .Values.admin.tlsSecret }}
    - { name: tls, secret: { secretName: {{ .Values.admin.tlsSecret | quote }}, defaultMode: 288 } }
    {{- end }}
  nodeSelector:
    {{- toYaml .Values.nodeSelector | nindent 4 }}
  tolerations:
    {{- toYaml .Values.tolerations | nindent 4 }}
  affinity:
    {{- toYaml .Values.affinity | nindent 4 }}
{{- end -}}

{{- /* The admin port on loopback is asked from inside; with TLS by the kubelet, which does not check the certificate. */ -}}
{{- define "spendgate.asks" -}}
{{- if .root.Values.admin.tlsSecret -}}
httpGet: { scheme: HTTPS, port: admin, path: {{ .path }} }
{{- else -}}
exec:
  command:
    - node
    - -e
    - "require('node:http').get({ host: '127.0.0.1', port: 4243, path: '{{ .path }}' }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"
{{- end -}}
{{- end -}}
