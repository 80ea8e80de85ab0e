"""What the numbers of the two passes mean. A changed meaning is a new id, never a changed text."""

from __future__ import annotations

LATENCY = "latency.v1"
THROUGHPUT = "throughput.v1"

TEXTS = {
    LATENCY: (
        "Time of one batch from padded token ids in host memory until its logits exist on the "
        "device: the copy to the device, the forward pass, and a synchronisation after each "
        "batch. Wall time by time.perf_counter_ns; on CUDA also device time between two events "
        "around copy and forward pass. Tokenising, padding and the copy of the logits to the "
        "host are outside. The host memory is page-locked on CUDA."
    ),
    THROUGHPUT: (
        "Samples divided by the wall time of one window: batches as in latency.v1 are issued "
        "one after another without waiting, with a single synchronisation after the last one. "
        "Tokenising, padding and the copy of the logits to the host are outside."
    ),
}
