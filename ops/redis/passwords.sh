#!/bin/sh
# Make a password for every user of users.acl, and the ACL file Redis reads (it holds only their hashes).
#
#   ops/redis/passwords.sh FOLDER
#
# FOLDER/users.acl            for redis.conf: aclfile
# FOLDER/<user>.password      for HUMMINGSWEEP_BROKER_PASSWORD_FILE: orchestrator's where you type, node's on the nodes;
#                             flower's, metrics' and admin's where those are used
#
# A password that is there is kept. To change one: delete its file, run this again, then ACL LOAD (RUNBOOK.md).
set -eu
umask 077

if [ $# -ne 1 ]; then
  echo "usage: $0 FOLDER" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
mkdir -p "$folder"

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

beside=$folder/.users.acl.$$
trap 'rm -f "$beside"' EXIT
while IFS= read -r line; do
  name=$(printf '%s' "$line" | cut -d ' ' -f 2)
  if [ "$name" != default ]; then
    file=$folder/$name.password
    if [ ! -s "$file" ]; then
      LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c 40 >"$file"
    fi
    line="$line #$(printf '%s' "$(cat "$file")" | sha256)"
  fi
  printf '%s\n' "$line"
done <"$here/users.acl" >"$beside"
mv "$beside" "$folder/users.acl"
echo "$folder: users.acl and a password file per user; only this user can read them"
