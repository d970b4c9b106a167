#!/bin/sh
# Make this machine a node that starts at boot: systemd on Linux, launchd on macOS. Run it from a clone, as the clone's
# owner; what needs root goes through sudo. Running it again changes what is there to what it is told.
#
#   ops/join.sh --broker ADDRESS --password-file FILE --key-file FILE [options]
#
#   --broker ADDRESS      rediss://node@broker.example:6380/0?ssl_ca_certs=/etc/hummingsweep/ca.pem, without password
#   --password-file FILE  the node's password (ops/redis/passwords.sh made it); copied, readable by the node alone
#   --key-file FILE       the key that the orchestrator signs with; copied likewise
#   --ca-file FILE        certificate of the broker's authority; copied to /etc/hummingsweep/ca.pem
#   --children N          default 0: one per core, on Apple Silicon one per performance core
#   --name NAME           how the node is called in `hummingsweep watch` and Flower; default the host's name
#   --drain-s SECONDS     how long it may finish its chunks when it is told to stop; default 30
#   --mirror-mb MB        slices in memory; default 4096
#   --user USER           who runs the node; default the clone's owner
#   --dry-run             say what would be done, do nothing
#
# With DESTDIR set, files are written under it and nothing is started (for images and tests).
set -eu

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s: %s\n' "$0" "$*" >&2
  exit 2
}

dir=$(cd "$(dirname "$0")/.." && pwd)
destdir=${DESTDIR:-}
etc=/etc/hummingsweep
broker='' password_file='' key_file='' ca_file='' children=0 name='' drain_s=30 mirror_mb=4096 user='' dry=''

while [ $# -gt 0 ]; do
  case $1 in
    --dry-run)
      dry=1
      shift
      continue
      ;;
    -h | --help)
      sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    --broker | --password-file | --key-file | --ca-file | --children | --name | --drain-s | --mirror-mb | --user) ;;
    *) fail "$1: not known; see $0 --help" ;;
  esac
  [ $# -ge 2 ] || fail "$1 needs a value"
  case $1 in
    --broker) broker=$2 ;;
    --password-file) password_file=$2 ;;
    --key-file) key_file=$2 ;;
    --ca-file) ca_file=$2 ;;
    --children) children=$2 ;;
    --name) name=$2 ;;
    --drain-s) drain_s=$2 ;;
    --mirror-mb) mirror_mb=$2 ;;
    --user) user=$2 ;;
  esac
  shift 2
done

# what was given

case $broker in
  redis://*:*@* | rediss://*:*@*) fail "a password in --broker is seen by everybody on this machine: use --password-file" ;;
  redis://* | rediss://*) ;;
  '') fail "--broker ADDRESS is missing; see $0 --help" ;;
  *) fail "--broker starts with redis:// or rediss://" ;;
esac
for value in "$broker" "$name" "$user"; do
  case $value in
    *[\"\'\$\`\\]* | *[[:space:]]*) fail "$value: no quotes, blanks, dollars or backslashes, please" ;;
  esac
done
for value in "$children" "$drain_s" "$mirror_mb"; do
  case $value in
    '' | *[!0-9]*) fail "$value is not a whole number" ;;
  esac
done
for given in "--password-file $password_file" "--key-file $key_file"; do
  file=${given#* }
  [ -n "$file" ] || fail "${given%% *} FILE is missing; see $0 --help"
  [ -s "$file" ] || fail "$file: no such file, or nothing in it"
done
[ -z "$ca_file" ] || [ -s "$ca_file" ] || fail "$ca_file: no such file, or nothing in it"

# this machine

system=$(uname -s)
case $system in
  Linux)
    owner=$(stat -c %U "$dir")
    command -v systemctl >/dev/null || [ -n "$dry$destdir" ] \
      || fail "no systemd here: run 'hummingsweep worker' under your own supervisor, see ops/systemd/worker.env"
    ;;
  Darwin) owner=$(stat -f %Su "$dir") ;;
  *) fail "$system: nodes run on Linux and macOS" ;;
esac
user=${user:-$owner}
[ "$user" != root ] || fail "a node runs controllers, which are anybody's code: not as root. Clone as another user, or give --user"
for tool in make python3; do
  command -v $tool >/dev/null || fail "no $tool here; hummingbot is built from source and needs make, a C++ compiler and python3"
done
command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null \
  || [ -f "$dir/.venv/.ready" ] || fail "no C++ compiler here (Debian: apt install build-essential; macOS: xcode-select --install)"

sudo=''
[ "$(id -u)" = 0 ] || [ -n "$destdir" ] || sudo=sudo

run() {
  if [ -n "$dry" ]; then
    say "+ $*"
  else
    "$@"
  fi
}

# copy FILE TO MODE [OWNER]
copy() {
  if [ -n "$destdir" ]; then
    run mkdir -p "$destdir$(dirname "$2")"
    run install -m "$3" "$1" "$destdir$2"
  else
    run $sudo mkdir -p "$(dirname "$2")"
    run $sudo install -m "$3" -o "${4:-root}" "$1" "$2"
  fi
}

# write TO MODE [OWNER], from standard input
write() {
  if [ -n "$dry" ]; then
    say "+ write $1 (mode $2, ${3:-root}):"
    sed 's/^/    /'
  else
    cat >"$work/file"
    copy "$work/file" "$1" "$2" "${3:-root}"
  fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# install

say "hummingsweep node on $system, from $dir, as $user"
run make -C "$dir" setup
if [ -x "$dir/.venv/bin/python" ]; then
  say "versions: $("$dir/.venv/bin/python" -P -c 'from tasks.settings import queue_name, versions; print(queue_name(versions()))')"
fi

copy "$password_file" $etc/broker.password 0400 "$user"
copy "$key_file" $etc/key 0400 "$user"
[ -z "$ca_file" ] || copy "$ca_file" $etc/ca.pem 0444
write $etc/worker.env 0600 "$user" <<ENV
# Written by ops/join.sh; see ops/systemd/worker.env.
HUMMINGSWEEP_BROKER="$broker"
HUMMINGSWEEP_BROKER_PASSWORD_FILE="$etc/broker.password"
HUMMINGSWEEP_KEY_FILE="$etc/key"
HUMMINGSWEEP_CHILDREN="$children"
HUMMINGSWEEP_DRAIN_S="$drain_s"
HUMMINGSWEEP_MIRROR_MB="$mirror_mb"
HUMMINGSWEEP_NODE="$name"
ENV

# the node leaves by itself 5 s after the drain; the supervisor kills it 10 s later
stop_s=$((drain_s + 15))
filled() {
  sed -e "s|@DIR@|$dir|g" -e "s|@USER@|$user|g" -e "s|@RAMDISK_MB@|$((mirror_mb + 1024))|g" \
    -e "s|^TimeoutStopSec=.*|TimeoutStopSec=$stop_s|" -e "/ExitTimeOut/{n;s|[0-9][0-9]*|$stop_s|;}" "$1"
}

# a broker that refuses this node should be seen now, not in a log
examine() {
  set -a
  # shellcheck source=/dev/null
  . "$etc/worker.env"
  set +a
  "$dir/.venv/bin/hummingsweep" doctor
}

case $system in
  Linux)
    filled "$dir/ops/systemd/hummingsweep-worker.service" | write /etc/systemd/system/hummingsweep-worker.service 0644
    [ -z "$destdir" ] || exit 0
    run $sudo systemctl daemon-reload
    run $sudo systemctl enable hummingsweep-worker
    run $sudo systemctl restart hummingsweep-worker
    say "log: journalctl -u hummingsweep-worker -f      stop: systemctl stop hummingsweep-worker"
    ;;
  Darwin)
    copy "$dir/ops/macos/ramdisk.sh" /usr/local/libexec/hummingsweep/ramdisk.sh 0755
    for label in com.hummingsweep.ramdisk com.hummingsweep.worker; do
      filled "$dir/ops/launchd/$label.plist" | write /Library/LaunchDaemons/$label.plist 0644
    done
    [ -z "$destdir" ] || exit 0
    run $sudo install -d -m 0755 -o "$user" /var/log/hummingsweep
    # never asleep, and back after a power cut
    run $sudo pmset -a sleep 0 disksleep 0 autorestart 1
    for label in com.hummingsweep.ramdisk com.hummingsweep.worker; do
      run $sudo launchctl bootout "system/$label" 2>/dev/null || true
      run $sudo launchctl bootstrap system "/Library/LaunchDaemons/$label.plist"
    done
    say "log: tail -f /var/log/hummingsweep/worker.log      stop: sudo launchctl bootout system/com.hummingsweep.worker"
    ;;
esac

if [ -n "$dry" ]; then
  say "+ hummingsweep doctor"
elif [ "$(id -un)" = "$user" ]; then
  examine || say "doctor found something to mend: see above"
fi
