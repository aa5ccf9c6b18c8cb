#!/usr/bin/env bash
# Runs the gate: annotations on the change and in the log, a table as summary, a JUnit file.
# Its exit status is that of the gate; whatever else goes wrong is a failure too.
set -uo pipefail
shopt -s nullglob globstar

# Blanks separate, patterns expand: unquoted on purpose.
# shellcheck disable=SC2206
files=($CERTIFICATES)
# shellcheck disable=SC2206
artifacts=($ARTIFACT)
options=(--max-increase "$MAX_INCREASE")
[[ -n "$BASELINE" ]] && options+=(--baseline "$BASELINE")
[[ -n "$REFERENCE" ]] && options+=(--reference "$REFERENCE")
[[ -n "$BUDGET" ]] && options+=(--budget "$BUDGET")
for artifact in "${artifacts[@]}"; do options+=(--artifact "$artifact"); done

if [[ -n "$ARTIFACT" && ${#artifacts[@]} -eq 0 ]]; then
  echo "::error title=pacbayes::no artifact matches the pattern"
  exit 3
fi
if [[ -n "$BASE_REF" && -n "$BASELINE$REFERENCE" ]]; then
  # A shallow checkout lacks the base commit.
  if ! git rev-parse --quiet --verify --end-of-options "$BASE_REF^{commit}" > /dev/null; then
    git fetch --quiet --depth=1 origin "$BASE_REF" && BASE_REF="$(git rev-parse FETCH_HEAD)"
  fi
  options+=(--base-ref "$BASE_REF")
fi

check() { pacbayes check --format "$1" "${options[@]}" -- "${files[@]}"; }

check github
status=$?
check markdown >> "$GITHUB_STEP_SUMMARY"
check junit > "$RUNNER_TEMP/pacbayes-check.xml"
echo "junit=$RUNNER_TEMP/pacbayes-check.xml" >> "$GITHUB_OUTPUT"
exit "$status"
