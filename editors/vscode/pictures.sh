#!/usr/bin/env bash
# The pictures of the README and the walkthrough: screenshots that the tests took, with fewer colours.
set -euo pipefail
cd "$(dirname "$0")"
taken=../../tests/editors/artefacts/vscode
picture() {
  pngquant --force --strip --speed 1 --quality 70-95 --output "images/$2.png" 64 "$taken/$1.png"
}
picture 02-problems findings
picture 03-hover hover
picture 04-light-bulb fix
