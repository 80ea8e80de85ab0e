#!/bin/sh
# Show what Slurm says about the submitted jobs, and what the runs themselves recorded. Changes nothing.
# usage: ./status.sh [RUN]
set -eu

name={{ name }}
bundle=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd -- "$bundle"
bundle_id=$name-$(sha256sum manifest.json | cut -c 1-12)
if [ -n "${SPECC_RESULTS:-}" ]; then results=$SPECC_RESULTS/$bundle_id; else results=$bundle/results; fi

tab=$(printf '\t')
for list in "$results"/${1:-*}/jobs.tsv; do
    [ -f "$list" ] || continue
    run=${list%/jobs.tsv}
    while IFS=$tab read -r script job; do
        echo "run ${run##*/}: $script, job $job"
        if command -v squeue >/dev/null 2>&1; then
            # a job that ended some minutes ago is an error there, one that ended just now is not
            told=$(squeue -h -r -j "$job" -o '  %i %T %M of %l %R' 2>/dev/null) || told=
            printf '%s\n' "${told:-  no longer in the queue}"
        fi
    done <"$list"
done

for candidate in ${SPECC_PYTHON:+"$SPECC_PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
    if "$candidate" -I -S -B -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
        exec "$candidate" -I -B -X utf8 "$bundle/runtime/specc_runtime/__main__.py" status --bundle "$bundle" ${1:+--run "$1"}
    fi
done
echo "status.sh: found no Python >= 3.9: load a module, or set SPECC_PYTHON" >&2
exit 2
