"""Keep so many requests in flight for a while; print each one's latency, the rate and the own cost.

A closed loop: each client sends its next request when the answer to the last one has come. Reads
SPECC_API_PORT, SPECC_CONCURRENCY, SPECC_WARM_UP_S and SPECC_SECONDS. Warm-up hands over to the
measurement without a pause; what counts is what was answered within the measured time.
"""

import asyncio
import json
import os
import time

PORT, CLIENTS = int(os.environ["SPECC_API_PORT"]), int(os.environ["SPECC_CONCURRENCY"])
WARM_UP_S, SECONDS = float(os.environ["SPECC_WARM_UP_S"]), float(os.environ["SPECC_SECONDS"])
REQUEST = b"GET /work HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def client(start, end, latencies, failures):
    """Ask again and again until `end`; a failed request is counted, and asked on a new line."""
    reader = writer = None
    while (sent := time.perf_counter()) < end:
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            writer.write(REQUEST)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout=10)
            await reader.readexactly(2)
            ok = head.startswith(b"HTTP/1.1 200")
        # asyncio's TimeoutError is a class of its own before Python 3.11
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):  # noqa: UP041
            ok, writer = False, None
            await asyncio.sleep(0.01)
        answered = time.perf_counter()
        if start <= answered < end:
            (latencies if ok else failures).append(answered - sent)
    if writer is not None:
        writer.close()


async def main():
    start = time.perf_counter() + WARM_UP_S
    latencies, failures = [], []
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    clients = (client(start, start + SECONDS, latencies, failures) for _ in range(CLIENTS))
    await asyncio.gather(*clients)
    busy = (time.process_time() - cpu_s) / (time.perf_counter() - wall_s)
    for latency in latencies:
        print(json.dumps({"latency_ms": 1000 * latency}))
    asked = len(latencies) + len(failures)
    rate, failed = len(latencies) / SECONDS, 100 * len(failures) / max(asked, 1)
    print(json.dumps({"requests_per_s": rate, "error_pct": failed, "client_cpu_pct": 100 * busy}))


if __name__ == "__main__":
    asyncio.run(main())
