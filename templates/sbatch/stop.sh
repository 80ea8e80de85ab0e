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

tab=$(printf '\t') stopped=0 failed=0
for list in "$results"/${1:-*}/jobs.tsv; do
    [ -f "$list" ] || continue
    while IFS=$tab read -r script job; do
        stopped=$((stopped + 1))
        # where nothing of a job waits or runs; silence of the queue is no end
        if left=$(squeue -h -j "$job" -o %i 2>&1); then
            [ -n "$left" ] || { echo "$script: job $job is over"; continue; }
        else
            case $left in *"Invalid job id"*) echo "$script: job $job is over"; continue ;; esac
        fi
        # a job that can't be cancelled must not save the next one
        if scancel "$job"; then echo "$script: job $job cancelled"; else failed=1; fi
    done <"$list"
done
[ "$stopped" -gt 0 ] || echo "stop.sh: no recorded job under $results"
exit "$failed"
