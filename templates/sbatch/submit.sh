#!/bin/sh
# Submit every job script of this bundle and remember the job ids for status.sh and stop.sh.
# usage: ./submit.sh [--fresh | --resume | --again] [--test-only] [SBATCH OPTIONS]
#   (nothing)     run r1, or SPECC_RUN; a second submission of a run needs --resume
#   --fresh       start the next run (r2, r3, ...)
#   --resume      go on with the newest run: finished tasks are not run again, nor are those whose attempts are used up
#   --again       the same, but tasks whose attempts are used up get one more
#   --test-only   ask Slurm whether it would accept the jobs; submit nothing
# Other options reach sbatch, those with a value as --name=value; behind -- everything does.
set -eu

name={{ name }}
bundle=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd -- "$bundle"
bundle_id=$name-$(sha256sum manifest.json | cut -c 1-12)
if [ -n "${SPECC_RESULTS:-}" ]; then results=$SPECC_RESULTS/$bundle_id; else results=$bundle/results; fi

usage() {
    [ $# -eq 0 ] || echo "submit.sh: $1" >&2
    echo "usage: ./submit.sh [--fresh | --resume | --again] [--test-only] [SBATCH OPTIONS]" >&2
    exit 2
}
choose() { [ "$mode" = first ] || usage "--fresh, --resume and --again exclude each other"; mode=$1; }

mode=first again='' test_only='' all_to_sbatch=no left=$#
while [ "$left" -gt 0 ]; do
    word=$1 left=$((left - 1))
    shift
    case $all_to_sbatch$word in
        no--fresh) choose fresh ;;
        no--resume) choose resume ;;
        no--again) choose resume; again=--again ;;
        no--test-only) test_only=--test-only ;;
        no--) all_to_sbatch=yes ;;
        no--help | no-h) usage ;;
        no-* | yes*) set -- "$@" "$word" ;;
        *) usage "what is '$word'? write sbatch's options as --name=value, or put them behind --" ;;
    esac
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

# a variable SBATCH_* in the caller's shell would override the scripts' own shape
for variable in{% for variable in overriding %} {{ variable }}{% endfor %}; do
    unset "SBATCH_$variable"
done

if [ -n "$test_only" ]; then
    refused=0
    for script in{% for script in scripts %} {{ script }}{% endfor %}; do
        sbatch --test-only "$@" "$bundle/$script" || refused=1
    done
    exit "$refused"
fi

# two at once would both find no job recorded; a job is recorded even when the terminal goes away meanwhile
lock=$results/$run/submitting
mkdir -p "$results/$run"
mkdir "$lock" 2>/dev/null || {
    echo "submit.sh: another one submits run $run; if it died, remove the empty folder $lock" >&2; exit 2; }
trap 'rmdir "$lock"' EXIT
trap '' INT TERM HUP
if [ "$mode" = first ] && [ -s "$results/$run/jobs.tsv" ]; then
    echo "submit.sh: run $run was submitted already ($results/$run/jobs.tsv): use --resume or --fresh" >&2
    exit 2
fi
# Slurm forgets, and what it says of the jobs before decides what a task may try again
[ "$mode" = first ] || SPECC_RUN='' "$bundle/status.sh" --record "$run" || :
submitted='' refused=''
for script in{% for script in scripts %} {{ script }}{% endfor %}; do
    if job=$(sbatch --parsable "$@" "$bundle/$script" --run "$run" ${again:+"$again"}); then
        job=${job%%;*}
        submitted="$submitted $script"
        echo "$script: job $job, run $run"
        printf '%s\t%s\n' "$script" "$job" >>"$results/$run/jobs.tsv" \
            || echo "submit.sh: job $job is not recorded in $results/$run/jobs.tsv, so stop.sh does not know it: scancel $job" >&2
    else
        refused="$refused $script"
        echo "submit.sh: Slurm refused $script (its words are above)" >&2
    fi
done
[ -n "$refused" ] || exit 0
[ -z "$submitted" ] || echo "submit.sh: submitted were$submitted; not submitted:$refused. --resume submits all of them, and leaves alone what runs" >&2
exit 1
