#!/bin/sh
# Submit every job script of this bundle and remember the job ids for status.sh and stop.sh.
# usage: ./submit.sh [--fresh | --resume] [--test-only] [-- SBATCH OPTIONS]
#   (nothing)     run r1, or SPECC_RUN; a second submission of a run needs --resume
#   --fresh       start the next run (r2, r3, ...)
#   --resume      go on with the newest run: finished tasks are not run again
#   --test-only   ask Slurm whether it would accept the jobs; submit nothing
set -eu

name={{ name }}
bundle=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd -- "$bundle"
bundle_id=$name-$(sha256sum manifest.json | cut -c 1-12)
if [ -n "${SPECC_RESULTS:-}" ]; then results=$SPECC_RESULTS/$bundle_id; else results=$bundle/results; fi

mode=first test_only=
while [ $# -gt 0 ]; do
    case $1 in
        --fresh) mode=fresh ;;
        --resume) mode=resume ;;
        --test-only) test_only=--test-only ;;
        --) shift; break ;;
        *) echo "usage: ./submit.sh [--fresh | --resume] [--test-only] [-- SBATCH OPTIONS]" >&2; exit 2 ;;
    esac
    shift
done
command -v sbatch >/dev/null 2>&1 || {
    echo "submit.sh: no sbatch here; on a machine without Slurm: bash {{ first_script }} --here" >&2; exit 2; }

newest=0
for folder in "$results"/r*; do
    number=${folder##*/r}
    case $number in '' | *[!0-9]*) continue ;; esac
    [ "$number" -le "$newest" ] || newest=$number
done
case $mode in
    fresh) run=r$((newest + 1)) ;;
    resume) [ "$newest" -gt 0 ] || newest=1; run=${SPECC_RUN:-r$newest} ;;
    *) run=${SPECC_RUN:-r1} ;;
esac
if [ "$mode" = first ] && [ -z "$test_only" ] && [ -s "$results/$run/jobs.tsv" ]; then
    echo "submit.sh: run $run was submitted already ($results/$run/jobs.tsv): use --resume or --fresh" >&2
    exit 2
fi

# a variable SBATCH_* in the caller's shell would override the scripts' own shape
for variable in{% for variable in overriding %} {{ variable }}{% endfor %}; do
    unset "SBATCH_$variable"
done

[ -n "$test_only" ] || mkdir -p "$results/$run"
refused=0
for script in{% for script in scripts %} {{ script }}{% endfor %}; do
    if [ -n "$test_only" ]; then
        sbatch --test-only "$@" "$bundle/$script" || refused=1
        continue
    fi
    if job=$(sbatch --parsable "$@" "$bundle/$script" --run "$run"); then
        job=${job%%;*}
        printf '%s\t%s\n' "$script" "$job" >>"$results/$run/jobs.tsv"
        echo "$script: job $job, run $run"
    else
        refused=1
        echo "submit.sh: Slurm refused $script (its words are above)" >&2
    fi
done
exit "$refused"
