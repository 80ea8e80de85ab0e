"""Which resources can hold a system back, what shows that one is at its limit, and what to try.

Data only. The limits stand in the schema (analysis.bottleneck.thresholds), by the same names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CLASSES = {
    "gpu-bound": "a GPU works, or draws power, at its limit",
    "cpu-bound": "CPUs, or the one thread that everything waits for, work at their limit",
    "memory-bound": "memory of host or GPU is used up",
    "queueing": "requests wait for the service itself while no machine resource is at its limit",
    "network-io": "disks or the network are at their limit",
    "client-limited": "what makes the load is at its limit: the system was not",
    "undetermined": "no resource was seen to reach its limit where throughput stops growing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One number that says how near a resource is to its limit."""

    name: str
    """Key of its limit in the schema."""
    resource: str
    label: str
    """Head of an evidence sentence: "GPU busy"."""
    unit: str
    weak: bool = False
    """True where it is often high without being the limit; it counts when nothing else does."""
    rare: bool = False
    """True for events whose absence does not show that the resource is below its limit."""


STATISTICS = (
    Statistic(name="client_cpu_pct", resource="client", label="Client CPU busy", unit="%"),
    Statistic(name="client_lag_ms", resource="client", label="Client lag", unit="ms"),
    Statistic(name="gpu_util_pct", resource="gpu_compute", label="GPU busy", unit="%"),
    Statistic(
        name="gpu_capped_pct",
        resource="gpu_power",
        label="GPU held back for power or heat in",
        unit="% of samples",
    ),
    Statistic(name="gpu_power_pct", resource="gpu_power", label="GPU power of its cap", unit="%"),
    Statistic(name="kv_cache_pct", resource="gpu_memory", label="KV cache used", unit="%"),
    Statistic(
        name="gpu_memory_pct", resource="gpu_memory", label="GPU memory used", unit="%", weak=True
    ),
    Statistic(name="cpu_util_pct", resource="cpu", label="CPUs busy", unit="%"),
    Statistic(name="own_cpu_pct", resource="cpu", label="CPUs kept busy by this launch", unit="%"),
    Statistic(
        name="cpu_throttled_pct",
        resource="cpu",
        label="CPU limit of the control group met in",
        unit="% of periods",
    ),
    Statistic(
        name="cpu_wait_pct", resource="cpu", label="Tasks waited for a CPU in", unit="% of the time"
    ),
    Statistic(
        name="busiest_thread_pct",
        resource="cpu",
        label="Busiest thread kept its core busy in",
        unit="% of the time",
        weak=True,
    ),
    Statistic(name="host_memory_pct", resource="host_memory", label="Host memory used", unit="%"),
    Statistic(
        name="memory_wait_pct",
        resource="host_memory",
        label="Tasks waited for memory in",
        unit="% of the time",
    ),
    Statistic(
        name="major_faults_per_s",
        resource="host_memory",
        label="Pages fetched from disk",
        unit="pages/s",
    ),
    Statistic(name="swap_mib_per_s", resource="host_memory", label="Swapped", unit="MiB/s"),
    Statistic(
        name="oom_kills",
        resource="host_memory",
        label="Attempts or processes ended for memory:",
        unit="in all",
        rare=True,
    ),
    Statistic(name="disk_busy_pct", resource="disk", label="Busiest disk busy", unit="%"),
    Statistic(
        name="io_wait_pct", resource="disk", label="Tasks waited for disks in", unit="% of the time"
    ),
    Statistic(
        name="network_pct", resource="network", label="Busiest network link filled", unit="%"
    ),
    Statistic(
        name="tcp_retransmit_pct",
        resource="network",
        label="TCP segments sent again",
        unit="%",
    ),
    Statistic(name="queue_length", resource="service", label="Requests waiting", unit="requests"),
    Statistic(name="errors_pct", resource="service", label="Failed requests", unit="%"),
)
"""In the order of attribution: the client first, the service itself last."""

SYMPTOMS = ("throughput_gain_pct", "tail_growth")
"""What any saturated system shows; their limits stand beside those of the statistics."""

RESOURCES: Mapping[str, tuple[str, str]] = {
    "client": ("client-limited", "the client"),
    "gpu_compute": ("gpu-bound", "GPU compute"),
    "gpu_power": ("gpu-bound", "GPU power or heat"),
    "gpu_memory": ("memory-bound", "GPU memory"),
    "cpu": ("cpu-bound", "CPU"),
    "host_memory": ("memory-bound", "host memory"),
    "disk": ("network-io", "disk"),
    "network": ("network-io", "network"),
    "service": ("queueing", "the service's own queue"),
}
"""Resource -> its class and its name in a sentence."""

CORE = ("gpu_compute", "cpu", "host_memory")
"""What must have been measured before anything else is blamed with confidence."""

NEXT_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "client": (
        "Run the client with twice the processes, or on a node of its own, and measure again.",
        "Until then read the numbers as a lower bound of what the service can do.",
    ),
    "gpu_compute": (
        "Try larger batches, a lower precision or a faster attention kernel.",
        "Add a GPU or a replica and measure again: throughput must grow with it.",
    ),
    "gpu_power": (
        "Compare with a raised or lowered power cap: throughput must follow it.",
        "Look at temperature and cooling of the node.",
    ),
    "gpu_memory": (
        "Give the cache less to hold: shorter contexts, a smaller cache type, fewer in flight.",
        "Use a GPU with more memory, or spread the model over two.",
    ),
    "cpu": (
        "Measure again with half and with twice the cores: throughput must follow.",
        "Profile the busiest process; move work off the thread that everything waits for.",
    ),
    "host_memory": (
        "Raise task.memory and measure again.",
        "Look for what grows with the load: caches, queues, one copy of the data per worker.",
    ),
    "disk": (
        "Put inputs and scratch on node-local storage and measure again.",
        "Read larger blocks, cache, or start more readers.",
    ),
    "network": (
        "Place client and service on one switch or one node and measure again.",
        "Send less: larger batches of requests, compression, keep-alive connections.",
    ),
    "service": (
        "Raise the service's own limits (workers, batch, connections) and measure again.",
        "Cap the load at the recommended range: beyond it only waiting grows.",
    ),
}

_OF_A_CURVE = frozenset({NEXT_ACTIONS["service"][1]})
"""Actions that make sense only where several loads were tried."""


def actions(resources: Iterable[str], *, of_curve: bool) -> tuple[str, ...]:
    """Return what to try about some resources. of_curve: whether several loads were tried."""
    told = (text for resource in resources for text in NEXT_ACTIONS[resource])
    return tuple(text for text in told if of_curve or text not in _OF_A_CURVE)


NOTHING_MISSING = "Look closer around the knee, with more levels and more repetitions."
NOTHING_MISSING_AT_POINTS = (
    "Give more of one resource at a time (cores, GPUs, faster storage) and see what results follow."
)
