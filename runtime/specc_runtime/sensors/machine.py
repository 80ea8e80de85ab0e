"""Describe this machine for launch.json `hardware`: what the numbers were measured on.

A description, not a measurement: a field the kernel does not show is null. Sensors that do not work
here are listed once, with their reasons, under `unavailable`.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from typing import Any, Dict, List, Mapping, Optional, Union

from . import (
    cgroup,
    clock,
    memory,
    nvml,
    powercap,
    pyrapl,
    slurm_energy,
)
from .base import (
    Unavailable,
    allowed_cpus,
    format_cpu_list,
    parse_cpu_list,
    read_int,
    read_text,
    read_text_or_none,
)

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "TOKENIZERS_PARALLELISM",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "MALLOC_ARENA_MAX",
    "LD_PRELOAD",
)
SLURM_VARIABLES = re.compile(
    r"SLURM_(ARRAY_(JOB_ID|TASK_(ID|COUNT|MIN|MAX|STEP))|CLUSTER_NAME|CPU_BIND(_TYPE|_LIST)?"
    r"|CPUS_(ON_NODE|PER_(GPU|TASK))|DISTRIBUTION|GPUS(_ON_NODE|_PER_(NODE|SOCKET|TASK))?"
    r"|GTIDS|HINT|JOB_(ACCOUNT|CPUS_PER_NODE|END_TIME|GPUS|ID|NAME|NODELIST|NUM_NODES|PARTITION"
    r"|QOS|RESERVATION|START_TIME)|LOCALID|MEM_(BIND(_TYPE)?|PER_(CPU|GPU|NODE))|NNODES|NODEID"
    r"|NODELIST|NPROCS|NTASKS(_PER_(CORE|GPU|NODE|SOCKET))?|OVERCOMMIT|PROCID|RESTART_COUNT"
    r"|STEP_(GPUS|ID|NODELIST|NUM_(NODES|TASKS)|TASKS_PER_NODE)|SUBMIT_HOST"
    r"|TASKS_PER_NODE|THREADS_PER_CORE|TOPOLOGY_ADDR)|SLURMD_NODENAME"
)
"""Listed one by one: SLURM_EXPORT_ENV, SLURM_SPANK_… and others can hold a user's secrets."""


def describe(
    *,
    sysfs_root: str = "/sys",
    proc_root: str = "/proc",
    env: Optional[Mapping[str, str]] = None,
    nvml_module: Any = None,
) -> Dict[str, Any]:
    """Describe CPU, memory, kernel, limits, GPUs, Slurm, Python, and which sensors do not work."""
    env = os.environ if env is None else env
    library = nvml.open(nvml_module)
    return {
        "cpu": describe_cpu(sysfs_root, proc_root),
        "memory": describe_memory(sysfs_root, proc_root),
        "numa": describe_numa(sysfs_root),
        "kernel": describe_kernel(sysfs_root),
        "limits": describe_limits(sysfs_root, proc_root),
        "gpus": _describe_gpus(library, env),
        "gpu_driver": None if isinstance(library, Unavailable) else library.versions(),
        "slurm": slurm_variables(env),
        "threads": {name: env[name] for name in THREAD_VARIABLES if name in env},
        "clock": clock.describe(sysfs_root),
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "compiler": platform.python_compiler(),
            "bits": 64 if sys.maxsize > 2**32 else 32,
        },
        "unavailable": _unavailable(library, sysfs_root, proc_root, env),
    }


def describe_cpu(sysfs_root: str, proc_root: str) -> Dict[str, Any]:
    """Describe the processors: model, flags, sockets, cores, SMT, governor, those we may use."""
    root = f"{sysfs_root}/devices/system/cpu"
    info = _first_processor(f"{proc_root}/cpuinfo")
    online = parse_cpu_list(read_text_or_none(f"{root}/online") or "")
    topology = {cpu: _core_of(root, cpu) for cpu in online}
    cores = {core for core in topology.values() if None not in core}
    sockets = {core[0] for core in cores}
    allowed = allowed_cpus()
    cpufreq = f"{root}/cpu{allowed[0] if allowed else 0}/cpufreq"
    governors = {_governor(root, cpu) for cpu in allowed} - {None}
    return {
        "architecture": platform.machine(),
        "model": info.get("model name") or info.get("CPU part"),
        "vendor": info.get("vendor_id") or info.get("CPU implementer"),
        "family": info.get("cpu family"),
        "model_number": info.get("model"),
        "stepping": info.get("stepping"),
        "microcode": info.get("microcode"),
        "flags": (info.get("flags") or info.get("Features") or "").split(),
        "virtual_machine": "hypervisor" in info.get("flags", "").split(),
        "sockets": len(sockets) or None,
        "cores": len(cores) or None,
        "threads": len(online) or os.cpu_count(),
        "smt": read_text_or_none(f"{root}/smt/control"),
        "smt_active": {"0": False, "1": True}.get(read_text_or_none(f"{root}/smt/active") or ""),
        "allowed": format_cpu_list(allowed),
        "allowed_count": len(allowed),
        "governor": ",".join(sorted(str(name) for name in governors)) or None,
        "frequency_driver": read_text_or_none(f"{cpufreq}/scaling_driver"),
        "min_khz": read_int(f"{cpufreq}/cpuinfo_min_freq").value,
        "max_khz": read_int(f"{cpufreq}/cpuinfo_max_freq").value,
        "boost": _boost(root),
        "l3_bytes": _cache_bytes(root, allowed[0] if allowed else 0),
        "mitigations": _mitigations(root),
    }


def describe_memory(sysfs_root: str, proc_root: str) -> Dict[str, Any]:
    """Describe the node's memory [bytes] and its page settings."""
    sizes: Dict[str, int] = {}
    for line in (read_text_or_none(f"{proc_root}/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split()
        if fields and fields[0].isdigit():
            sizes[name] = int(fields[0]) * (1024 if fields[-1] == "kB" else 1)
    huge = read_text_or_none(f"{sysfs_root}/kernel/mm/transparent_hugepage/enabled") or ""
    chosen = re.search(r"\[(\w+)\]", huge)
    return {
        "total_bytes": sizes.get("MemTotal"),
        "available_bytes": sizes.get("MemAvailable"),
        "swap_bytes": sizes.get("SwapTotal"),
        "page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "transparent_hugepages": chosen.group(1) if chosen else None,
    }


def describe_numa(sysfs_root: str) -> List[Dict[str, Any]]:
    """List the NUMA nodes: number, CPUs, memory [bytes]."""
    root = f"{sysfs_root}/devices/system/node"
    nodes: List[Dict[str, Any]] = []
    for number in parse_cpu_list(read_text_or_none(f"{root}/online") or ""):
        text = read_text_or_none(f"{root}/node{number}/meminfo") or ""
        total = re.search(r"MemTotal:\s+(\d+) kB", text)
        nodes.append(
            {
                "node": number,
                "cpus": read_text_or_none(f"{root}/node{number}/cpulist"),
                "memory_bytes": int(total.group(1)) * 1024 if total else None,
            }
        )
    return nodes


def describe_kernel(sysfs_root: str) -> Dict[str, Any]:
    """Describe kernel, distribution and C library."""
    system = os.uname()
    # the distribution stands outside /sys, beside it in a fake tree
    release = f"{os.path.dirname(sysfs_root.rstrip('/')).rstrip('/')}/etc/os-release"
    name = re.search(
        r'^PRETTY_NAME="?([^"\n]*)', read_text_or_none(release) or "", flags=re.MULTILINE
    )
    library, version = platform.libc_ver()
    return {
        "system": system.sysname,
        "release": system.release,
        "version": system.version,
        "distribution": name.group(1) if name else None,
        "libc": library or None,
        "libc_version": version or None,
    }


def describe_limits(sysfs_root: str, proc_root: str) -> Dict[str, Any]:
    """Describe what the control groups and the cpuset allow this process."""
    where = {"proc_root": proc_root, "sysfs_root": sysfs_root}
    groups = {name: cgroup.find(name, **where) for name in ("memory", "cpu")}
    host = memory.open(**where)
    limits: Dict[str, Any] = {}
    for name, group in groups.items():
        known = None if isinstance(group, Unavailable) else group
        limits[f"{name}_cgroup_version"] = known.version if known else None
        limits[f"{name}_cgroup"] = known.path if known else None
    quota = groups["cpu"]
    limits["cpu_quota"] = None if isinstance(quota, Unavailable) else cgroup.cpu_quota(quota).value
    limits["memory_bytes"] = (
        None if isinstance(host, Unavailable) else host.cgroup_limit_bytes().value
    )
    limits["oom_kills_before"] = None if isinstance(host, Unavailable) else host.oom_kills().value
    status = read_text_or_none(f"{proc_root}/self/status") or ""
    for key, label in (("Cpus_allowed_list", "cpuset"), ("Mems_allowed_list", "mems")):
        found = re.search(rf"^{key}:\s*(\S+)", status, flags=re.MULTILINE)
        limits[label] = found.group(1) if found else None
    return limits


def slurm_variables(env: Mapping[str, str]) -> Dict[str, str]:
    """Pick the variables of Slurm that say what was allocated; none that can hold a secret."""
    return {name: value for name, value in sorted(env.items()) if SLURM_VARIABLES.fullmatch(name)}


def _first_processor(path: str) -> Dict[str, str]:
    fields: Dict[str, str] = {}
    for line in (read_text_or_none(path) or "").splitlines():
        name, separator, value = line.partition(":")
        if not separator:
            break
        fields[name.strip()] = value.strip()
    return fields


def _core_of(root: str, cpu: int) -> Any:
    topology = f"{root}/cpu{cpu}/topology"
    return tuple(
        read_text_or_none(f"{topology}/{name}") for name in ("physical_package_id", "core_id")
    )


def _governor(root: str, cpu: int) -> Optional[str]:
    return read_text_or_none(f"{root}/cpu{cpu}/cpufreq/scaling_governor")


def _boost(root: str) -> Optional[bool]:
    boost = read_text_or_none(f"{root}/cpufreq/boost")
    if boost is not None:
        return boost == "1"
    no_turbo = read_text_or_none(f"{root}/intel_pstate/no_turbo")
    return no_turbo == "0" if no_turbo is not None else None


def _cache_bytes(root: str, cpu: int) -> Optional[int]:
    size = re.match(r"(\d+)K$", read_text_or_none(f"{root}/cpu{cpu}/cache/index3/size") or "")
    return int(size.group(1)) * 1024 if size else None


def _mitigations(root: str) -> Dict[str, str]:
    folder = f"{root}/vulnerabilities"
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return {}
    texts = {name: read_text_or_none(f"{folder}/{name}") for name in names}
    return {name: text for name, text in texts.items() if text and text != "Not affected"}


def _describe_gpus(
    library: Union[nvml.Nvml, Unavailable], env: Mapping[str, str]
) -> List[Dict[str, Any]]:
    if isinstance(library, Unavailable):
        return []
    entries = nvml.visible_entries(env.get("CUDA_VISIBLE_DEVICES"))
    if entries is None:
        return [gpu.describe() for gpu in library.all_gpus()]
    opened = [library.gpu(entry) for entry in entries]
    return [gpu.describe() for gpu in opened if not isinstance(gpu, Unavailable)]


def _unavailable(
    library: Union[nvml.Nvml, Unavailable],
    sysfs_root: str,
    proc_root: str,
    env: Mapping[str, str],
) -> List[Dict[str, str]]:
    opened = (
        memory.open(proc_root=proc_root, sysfs_root=sysfs_root),
        cgroup.find("memory", proc_root=proc_root, sysfs_root=sysfs_root),
        library,
        powercap.open(sysfs_root=sysfs_root),
        pyrapl.open(),
        slurm_energy.open(env=env),
    )
    found = [sensor.as_dict() for sensor in opened if isinstance(sensor, Unavailable)]
    frequency = f"{sysfs_root}/devices/system/cpu/cpu{(allowed_cpus() or [0])[0]}/cpufreq"
    if read_text(f"{frequency}/scaling_cur_freq").text is None:
        found.append({"sensor": "cpu_frequency", "reason": "the kernel shows no scaling_cur_freq"})
    return found
