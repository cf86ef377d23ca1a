#!/usr/bin/env bash
# VS Code for the tests: code-server from the package registry with the native modules that it needs, and Debian's
# Chromium. Everything stays in node_modules here; only Debian packages that are missing are installed (as root).
# A stamp makes the second run instant.
set -euo pipefail
cd "$(dirname "$0")"
stamp=node_modules/.understudy-$(sha256sum package-lock.json setup.sh | sha256sum | cut -c1-16)
packages=(chromium ripgrep libkrb5-dev libx11-dev libxkbfile-dev libsecret-1-dev pkg-config g++ make pngquant fonts-dejavu-core)

if ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then
  echo "Node.js 20 or newer is needed, with npm; Debian 12 has an older one" >&2
  exit 1
fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  apt-get update --quiet=2
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends "${missing[@]}" >/dev/null
fi
[[ -e $stamp ]] && exit

quiet=(--no-audit --no-fund --loglevel=error)
npm ci --ignore-scripts "${quiet[@]}"
PATH=$PWD/node_modules/.bin:$PATH
npm rebuild argon2 --ignore-scripts=false "${quiet[@]}"
cd node_modules/code-server/lib/vscode
# Not `npm ci`: code-server's own lock files are not in step with its package files.
npm install --omit=dev --ignore-scripts "${quiet[@]}"
(cd extensions && npm install --omit=dev --ignore-scripts "${quiet[@]}")
npm rebuild @parcel/watcher @vscode/deviceid @vscode/spdlog kerberos native-watchdog node-pty \
  --ignore-scripts=false "${quiet[@]}"
mkdir -p node_modules/@vscode/ripgrep/bin
ln -sf "$(command -v rg)" node_modules/@vscode/ripgrep/bin/rg
ln -sfn node_modules node_modules.asar
cd - >/dev/null
touch "$stamp"
