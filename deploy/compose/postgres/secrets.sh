#!/bin/sh
# Makes what deploy/compose/postgres.yaml reads, once: nothing that exists is replaced. Keep a copy of node.env elsewhere:
# without the master key the stored credentials cannot be read.
set -eu
umask 077
cd "$(dirname "$0")"
if [ -e node.env ] || [ -e database.env ]; then
  echo 'node.env or database.env is here already; nothing was changed.' >&2
  exit 1
fi
password=$(openssl rand -hex 24)
printf 'POSTGRES_PASSWORD=%s\n' "$password" >database.env
{
  printf 'SPENDGATE_MASTER_KEY=%s\n' "$(openssl rand -base64 32)"
  printf 'SPENDGATE_ADMIN_TOKEN=sgadmin_%s\n' "$(openssl rand -hex 24)"
  # Inside a network of its own on one machine. For a database elsewhere: ?sslmode=verify-full.
  printf 'DATABASE_URL=postgres://spendgate:%s@database:5432/spendgate?sslmode=disable\n' "$password"
} >node.env
mkdir -p tls
if [ ! -e tls/tls.crt ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 30 -subj /CN=spendgate \
    -addext 'subjectAltName=DNS:localhost,DNS:spendgate,IP:127.0.0.1' -keyout tls/tls.key -out tls/tls.crt 2>/dev/null
  echo 'tls/tls.crt is for localhost and 30 days, to try it with. Put your own certificate there.' >&2
fi
echo 'Made node.env and database.env.' >&2
