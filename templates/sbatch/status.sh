#!/bin/sh
# Show what Slurm says about the submitted jobs, and what the runs themselves recorded.
# What Slurm says is also kept in results/<run>/slurm, since Slurm forgets; nothing else is changed.
# usage: ./status.sh [--record] [RUN]
#   --record      only keep what Slurm says; show nothing
set -eu

show=yes
if [ "${1:-}" = --record ]; then show=no; shift; fi

name={{ name }}
bundle=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd -- "$bundle"
bundle_id=$name-$(sha256sum manifest.json | cut -c 1-12)
if [ -n "${SPECC_RESULTS:-}" ]; then results=$SPECC_RESULTS/$bundle_id; else results=$bundle/results; fi

tab=$(printf '\t')
fields={{ sacct_fields }}
patience=
if command -v timeout >/dev/null 2>&1; then patience='timeout 60'; fi

# keep ANSWER FILE KEY: replace FILE by ANSWER, behind those of its lines that ANSWER no longer tells.
# KEY names what a line is about: sacct tells all there ever was, the others forget.
keep() {
    [ -s "$1" ] || return 1
    if [ -f "$2" ] && [ "$3" != whole ]; then
        awk -v key="$3" '
            function about(line,   parts) {
                if (key == "line") return line
                if (key == "first") { split(line, parts, "|"); return parts[1] }
                parts[1] = parts[2] = line
                sub(/^JobId=/, "", parts[1]); sub(/ .*/, "", parts[1])
                if (!sub(/.* Restarts=/, "", parts[2])) parts[2] = ""
                sub(/ .*/, "", parts[2])
                return parts[1] " " parts[2]
            }
            NR == FNR { told[about($0)] = 1; next }
            !(about($0) in told) { print }
        ' "$1" "$2" >"$1.merged" && cat "$1" >>"$1.merged" && mv -f "$1.merged" "$1" || return 1
    fi
    if [ -f "$2" ] && cmp -s "$1" "$2"; then rm -f "$1"; else mv -f "$1" "$2"; fi
}

# record RUN_FOLDER: ask Slurm once for all jobs of a run, by the command that tells most
record() {
    jobs=$(cut -f 2 "$1/jobs.tsv" | sort -un)
    words=$1/slurm new=$1/slurm/.new.$$
    [ -n "$jobs" ] && mkdir -p "$words" 2>/dev/null && : 2>/dev/null >"$new" || return 0
    if command -v sacct >/dev/null 2>&1; then
        $patience sacct -P -D -j "$(echo "$jobs" | paste -s -d , -)" -o "$fields" >"$new" 2>/dev/null || : >"$new"
    fi
    for job in $jobs; do
        awk -v job="$job" -F'|' '$1 == "JobID" { head = $0; next }
            $1 ~ "^" job "([^0-9]|$)" { if (head != "") print head; head = ""; print }' "$new" >"$new.job"
        if keep "$new.job" "$words/$job.sacct.txt" whole; then continue; fi
        $patience scontrol -o show job "$job" 2>/dev/null | grep '^JobId=' >"$new.job" || :
        if keep "$new.job" "$words/$job.scontrol.txt" start; then continue; fi
        $patience squeue -h -r -t all -j "$job" -o '%i|%T|%r|%N|%P|%a' 2>/dev/null | grep '^[0-9]' >"$new.job" || :
        keep "$new.job" "$words/$job.squeue.txt" first || :
    done
    # without accounting only this tells that a job came back because its node failed
    $patience sinfo -h -N -R -o '%N|%T|%H|%E' 2>/dev/null | awk -F'|' '$2 ~ /^down/ && !told[$1]++' >"$new.job" || :
    keep "$new.job" "$words/nodes.txt" line || :
    rm -f "$new" "$new.job" "$new.job.merged"
}

for list in "$results"/${1:-*}/jobs.tsv; do
    [ -f "$list" ] || continue
    run=${list%/jobs.tsv}
    if command -v squeue >/dev/null 2>&1; then record "$run"; fi
    [ "$show" = yes ] || continue
    while IFS=$tab read -r script job; do
        echo "run ${run##*/}: $script, job $job"
        if command -v squeue >/dev/null 2>&1; then
            # a job that ended some minutes ago is an error there, one that ended just now is not
            told=$(squeue -h -r -j "$job" -o '  %i %T %M of %l %R' 2>/dev/null) || told=
            printf '%s\n' "${told:-  no longer in the queue}"
        fi
    done <"$list"
done
[ "$show" = yes ] || exit 0

for candidate in ${SPECC_PYTHON:+"$SPECC_PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
    if "$candidate" -I -S -B -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
        exec "$candidate" -I -B -X utf8 "$bundle/runtime/specc_runtime/__main__.py" status --bundle "$bundle" ${1:+--run "$1"}
    fi
done
echo "status.sh: found no Python >= 3.9: load a module, or set SPECC_PYTHON" >&2
exit 2
