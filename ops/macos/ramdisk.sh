#!/bin/sh
# The RAM disk for the mirror on macOS: /Volumes/hummingsweep, found by the node by its name. Nothing to do when it is there.
#
#   ops/macos/ramdisk.sh [MEGABYTES]      default 5120: HUMMINGSWEEP_MIRROR_MB's 4096 and room to write beside
#   ops/macos/ramdisk.sh --remove
#
# Pages are taken when they are written, not when the disk is made. ops/launchd runs this at boot, as root.
set -eu

volume=hummingsweep
mount=/Volumes/$volume

mounted() {
  mount | grep -q " on $mount ("
}

if [ "$(uname -s)" != Darwin ]; then
  echo "$0: for macOS; on Linux the mirror lies in /dev/shm" >&2
  exit 2
fi

if [ "${1:-}" = --remove ]; then
  if mounted; then
    hdiutil detach "$mount"
  fi
  exit 0
fi

megabytes=${1:-5120}
case $megabytes in
  '' | *[!0-9]*)
    echo "$0: $megabytes is not a number of megabytes" >&2
    exit 2
    ;;
esac
if mounted; then
  echo "$mount is there"
  exit 0
fi

# ram:// counts blocks of 512 bytes; hdiutil answers with the device and blanks
device=$(hdiutil attach -nomount "ram://$((megabytes * 2048))" | tr -d '[:space:]')
if ! diskutil erasevolume APFS "$volume" "$device"; then
  hdiutil detach "$device"
  exit 1
fi
chmod 1777 "$mount"
# Spotlight has nothing to look for here
mdutil -i off "$mount" >/dev/null 2>&1 || true
echo "$mount: $megabytes MB"
