#!/bin/sh
# Print what this machine and cluster offer, for a cluster profile and for questions to a help desk. Changes nothing.
# usage: ./probe.sh > probe.txt                  the cluster, and the machine that this is (a login node)
#        srun -p PARTITION ./probe.sh >> probe.txt   what only a node of a partition knows: its GPUs, C library and Python
# then, where specc is installed: specc cluster profile < probe.txt
set -u
LC_ALL=C; export LC_ALL
me=$(id -un 2>/dev/null || id -u)

bundle=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
say() { printf '\n== %s\n' "$1"; }
# show NAME COMMAND…: the heading is what `specc cluster profile` looks for
show() {
    name=$1; shift
    say "$name: $*"
    if command -v "$1" >/dev/null 2>&1; then "$@" </dev/null 2>&1 || echo "(exit $?)"; else echo "(no $1 here)"; fi
}

say 'specc probe 1: where and when'
echo "host=$(uname -n)"
echo "date=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
echo "node=${SLURMD_NODENAME:-}"
echo "partition=${SLURM_JOB_PARTITION:-}"
echo "TMPDIR=${TMPDIR:-}"
echo "loaded modules=${LOADEDMODULES:-}"
show system uname -srm
show glibc ldd --version
say 'interpreters: python3 -V, and so on'
for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
    # a name on PATH may be a stand-in for a version that is not installed
    if version=$("$python" -V 2>/dev/null </dev/null); then printf '%s: %s\n' "$(command -v "$python")" "$version"; fi
done
show processors lscpu
show memory free -g
show gpus nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader
show apptainer apptainer --version
show singularity singularity --version
# in a login shell, for a function that /etc/profile makes
show modules bash -lc 'command -v module >/dev/null || { echo "(no module here)"; exit 0; }; module -t avail'
show slurm sinfo --version
show overview sinfo -o '%P %a %l %D %c %m %G %f'
show configuration scontrol show config
show partitions scontrol -o show partition
show nodes scontrol -o show node
show associations sacctmgr -P show assoc "user=$me" format=cluster,account,partition,defaultqos,qos,maxjobs,maxsubmitjobs,maxwall
show qos sacctmgr -P show qos format=name,maxjobspu,maxsubmitpu,maxwall
for script in{% for script in scripts %} {{ script }}{% endfor %}; do
    show "would Slurm accept $script" sbatch --test-only "$bundle/$script"
done
show 'free space' df -h "$bundle"
say 'end of probe'
