#!/bin/sh
# A node on macOS, awake while it runs: started by launchd (ops/launchd), stopped by its SIGTERM.
#
#   ops/macos/worker.sh ENV_FILE
set -eu

dir=$(cd "$(dirname "$0")/../.." && pwd)
set -a
# shellcheck source=/dev/null
. "$1"
set +a

# -i no idle sleep, -m no disk sleep, -s no system sleep on mains; -w: until this process, which becomes the node, ends
caffeinate -ims -w $$ &
exec "$dir/.venv/bin/hummingsweep" worker
