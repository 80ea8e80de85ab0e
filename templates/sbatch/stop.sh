#!/bin/sh
# Cancel the jobs that submit.sh recorded. Finished tasks stay finished; `submit.sh --resume` goes on later.
# usage: ./stop.sh [RUN]
set -eu

name={{ name }}
bundle=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd -- "$bundle"
bundle_id=$name-$(sha256sum manifest.json | cut -c 1-12)
if [ -n "${SPECC_RESULTS:-}" ]; then results=$SPECC_RESULTS/$bundle_id; else results=$bundle/results; fi
command -v scancel >/dev/null 2>&1 || { echo "stop.sh: no scancel here" >&2; exit 2; }

tab=$(printf '\t') stopped=0
for list in "$results"/${1:-*}/jobs.tsv; do
    [ -f "$list" ] || continue
    while IFS=$tab read -r script job; do
        scancel "$job"
        echo "$script: job $job cancelled"
        stopped=$((stopped + 1))
    done <"$list"
done
[ "$stopped" -gt 0 ] || echo "stop.sh: no recorded job under $results"
