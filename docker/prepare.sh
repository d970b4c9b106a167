#!/bin/sh
# What compose.yml needs beside it, once: passwords, key, the folder for Redis' data, and .env. What is there is kept.
#
#   docker/prepare.sh
set -eu
umask 077
cd "$(dirname "$0")"

random() { LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c "$1"; }

mkdir -p data/redis
../ops/redis/passwords.sh secrets
[ -s secrets/key ] || random 64 >secrets/key

# The containers run as you, so that they can read what only you can read; as 10001 when you are root.
uid=$(id -u) gid=$(id -g)
if [ "$uid" = 0 ]; then
  uid=10001 gid=10001
  chown -R "$uid:$gid" secrets data
fi
if [ ! -s .env ]; then
  cat >.env <<ENV
COMPOSE_PROJECT_NAME=hummingsweep
HUMMINGSWEEP_UID=$uid
HUMMINGSWEEP_GID=$gid
HUMMINGSWEEP_FLOWER_AUTH=hummingsweep:$(random 24)
# folder with your sweep files, candles and controllers; runs/ is written into it
HUMMINGSWEEP_WORK=..
ENV
fi
echo "docker/secrets, docker/data and docker/.env are there; next: docker compose -f docker/compose.yml up -d --build"
