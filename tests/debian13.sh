#!/usr/bin/env bash
# Run the fast tests, and those that convert a checkpoint, on Debian 13 and its Python 3.13.
#
# Usage: tests/debian13.sh [FOLDER]
#
# The Debian is a root of its own in FOLDER (/var/tmp/audiosearch-debian13 unless named), made the
# first time and kept: about 6 GB. Needs root rights and debootstrap. Debian's mirror, pip's settings
# and the certificates are those of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
root=${1:-/var/tmp/audiosearch-debian13}

if ! command -v debootstrap >/dev/null; then
  echo "error: debootstrap is not installed" >&2
  echo "hint: apt-get install debootstrap" >&2
  exit 1
fi

if [[ ! -e $root/made ]]; then
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
  debootstrap --variant=minbase --include=ca-certificates,python3-venv trixie "$root" ${mirror:+"$mirror"}
  touch "$root/made"
fi

# The tracked files as they are now, in a folder of their own.
rm -rf "$root/checkout"
mkdir -p "$root/checkout" "$root/shared"
git ls-files -z | xargs -0 cp --parents -t "$root/checkout"

# How this machine reaches the packages.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf ~/.config/pip/pip.conf ~/.pip/pip.conf \
  /etc/ssl/certs/ca-certificates.crt; do
  if [[ -e $file ]]; then
    mkdir -p "$root$(dirname "$file")"
    cp --dereference "$file" "$root$file"
  fi
done

# In a mount namespace of its own, whose mounts go with it.
unshare --mount --propagation private bash -s "$root" <<'NAMESPACE'
set -euo pipefail
for folder in /proc /sys /dev; do mount --rbind "$folder" "$1$folder"; done
if [[ -d ../shared ]]; then mount --bind ../shared "$1/shared"; fi
chroot "$1" bash -s <<'DEBIAN'
set -euo pipefail
cd /checkout
export HOME=/root TMPDIR=/tmp LANG=C.UTF-8
python3 -m venv /venv
/venv/bin/pip install -q -e '.[dev]'
/venv/bin/python --version
/venv/bin/pytest -m 'not slow'
/venv/bin/pytest tests/test_vggish.py
DEBIAN
NAMESPACE
