#!/usr/bin/env bash
# Installs the version of pacbayes that this Action belongs to; torch only where it is needed.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)"
environment="$RUNNER_TEMP/pacbayes"
python3 -m venv "$environment"
pip=("$environment/bin/python" -m pip --quiet --disable-pip-version-check install)
if [[ -n "${ARTIFACT:-}" ]]; then
  "${pip[@]}" "$root"
else
  "${pip[@]}" click rich
  "${pip[@]}" --no-deps "$root"
fi
echo "$environment/bin" >> "$GITHUB_PATH"
