#!/usr/bin/env bash
# The pre-commit hook: the checker is one file of standard-library Python, so nothing is installed.
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec python3 "$here/../../../pacbayes/certificate/checker.py" "$@"
