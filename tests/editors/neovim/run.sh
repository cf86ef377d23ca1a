#!/usr/bin/env bash
# Runs the tests in real Neovims: 0.12 of Debian forky and 0.10 of Debian 13. They and their libraries are unpacked below
# tests/editors/.tools and started with their own loader; nothing is installed.
#   run.sh PROGRAM     PROGRAM is the `understudy` to start as server
set -euo pipefail
cd "$(dirname "$0")"
program=$1
root=$(cd ../../.. && pwd)
tools=$root/tests/editors/.tools

fetch() {  # fetch SUITE FOLDER
  local folder=$2
  rm -rf "$folder"
  mkdir -p "$folder"/{state/lists,cache/archives}/partial "$folder/root"
  : >"$folder/status"
  # The mirror is the one that this machine uses; its lists need not have been fetched.
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sed -n '/\/debian\/*$/{p;q}')
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$folder/sources.list"
  local options=(
    -oDir::Etc::sourcelist="$folder/sources.list" -oDir::Etc::sourceparts=-
    -oDir::State="$folder/state" -oDir::State::status="$folder/status" -oDir::Cache="$folder/cache"
    -oAPT::Sandbox::User="$(id -un)" -oAcquire::Languages=none
  )
  apt-get "${options[@]}" update --quiet=2
  apt-get "${options[@]}" install --quiet=2 --yes --download-only --no-install-recommends neovim >/dev/null
  for package in "$folder"/cache/archives/*.deb; do
    dpkg-deb --extract "$package" "$folder/root"
  done
  rm -rf "$folder/cache" "$folder/state"
  touch "$folder/ready"
}

status=0
for suite in forky trixie; do
  folder=$tools/neovim-$suite
  [[ -e $folder/ready ]] || fetch "$suite" "$folder"
  usr=$folder/root/usr
  home=$(mktemp -d)
  cp -r "$root/tests/projects/governance" "$home/governance"
  # A home of its own: no configuration of this machine, and none left on it.
  env -u VIRTUAL_ENV HOME="$home" XDG_CONFIG_HOME="$home/config" XDG_DATA_HOME="$home/data" XDG_STATE_HOME="$home/state" \
    XDG_CACHE_HOME="$home/cache" VIMRUNTIME="$usr/share/nvim/runtime" \
    PLUGIN="$root/editors/neovim" UNDERSTUDY="$program" PROJECT="$home/governance" \
    "$usr/lib64/ld-linux-x86-64.so.2" --library-path "$usr/lib/x86_64-linux-gnu" "$usr/bin/nvim" \
    --headless -u NONE -i NONE -l test.lua || status=1
  rm -rf "$home"
done
exit $status
