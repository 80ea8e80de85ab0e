#!/bin/sh
# Print what this machine and cluster offer, for a cluster profile and for questions to a help desk. Changes nothing.
# usage: ./probe.sh
set -u

bundle=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
show() { printf '\n== %s\n' "$1"; shift; "$@" 2>&1 || echo "(exit $?)"; }
if_there() { if command -v "$2" >/dev/null 2>&1; then show "$@"; else printf '\n== %s\n(no %s here)\n' "$1" "$2"; fi; }

show system uname -srm
show glibc sh -c 'ldd --version | head -n 1'
for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
    # a name on PATH may be a stand-in for a version that is not installed
    if version=$("$python" -V 2>/dev/null); then printf '%s: %s\n' "$(command -v "$python")" "$version"; fi
done
if_there processors lscpu
if_there memory free -g
if_there 'NVIDIA GPUs' nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv
if_there container apptainer --version
if_there container singularity --version
if_there slurm sinfo --version
if_there partitions sinfo -o '%P %a %l %D %c %m %G %f'
if_there 'your accounts' sacctmgr -n show assoc "user=$(id -un)" format=account,partition,qos
if_there limits scontrol show config
for script in{% for script in scripts %} {{ script }}{% endfor %}; do
    if_there "would Slurm accept $script" sbatch --test-only "$bundle/$script"
done
show 'free space here' df -h "$bundle"
