"""Solve one small problem whose exact answer is known, and print how far off it is.

SPECC_PROBLEM=integral: the integral of exp(-k x) over 0..1 by the midpoint rule.
SPECC_PROBLEM=plate: a square plate that cools, k half waves along each side, by explicit steps in
time; two processes take the same grid with whole and with half steps, and both are extrapolated.
SPECC_RESOLUTION: intervals along a side.   SPECC_WAVES: k. Standard library only.
`--seconds S` solves it again until S seconds have passed; the shortest time counts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from concurrent.futures import ProcessPoolExecutor

SUB_INTERVALS = 20_000
"""Of each of an integral's intervals: enough work to be timed."""
COOLING = 0.1
"""How long the plate cools, in times of its slowest wave."""


def integral(resolution: int, waves: int) -> tuple[float, float]:
    """Return the midpoint sum and the exact integral."""
    count = resolution * SUB_INTERVALS
    width = 1.0 / count
    total = width * math.fsum(math.exp(-waves * (i + 0.5) * width) for i in range(count))
    return total, (1.0 - math.exp(-waves)) / waves


def plate(resolution: int, waves: int) -> tuple[float, float]:
    """Return the temperature at the hottest point after cooling, and the exact one."""
    decay = 2.0 * (waves * math.pi) ** 2
    end = COOLING / decay
    # an explicit step is stable up to a quarter of the square of the grid's width
    steps = max(40, math.ceil(end * resolution**2 / 0.2))
    with ProcessPoolExecutor(2) as pool:
        whole, half = pool.map(cool, [(resolution, waves, end, n) for n in (steps, 2 * steps)])
    return 2.0 * half - whole, math.exp(-decay * end)


def cool(asked: tuple[int, int, float, int]) -> float:
    """Return the largest temperature of a plate after `steps` steps up to time `end`."""
    resolution, waves, end, steps = asked
    line = [math.sin(waves * math.pi * i / resolution) for i in range(resolution + 1)]
    field = [[a * b for b in line] for a in line]
    share = end / steps * resolution**2
    for _ in range(steps):
        above = field[0]
        new = [above]
        for row in range(1, resolution):
            here, below = field[row], field[row + 1]
            new.append(
                [0.0]
                + [
                    here[i]
                    + share * (above[i] + below[i] + here[i - 1] + here[i + 1] - 4 * here[i])
                    for i in range(1, resolution)
                ]
                + [0.0]
            )
            above = here
        field = [*new, field[-1]]
    return max(map(max, field))


def main() -> None:
    """Solve what the variables ask for and print one line of JSON."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--seconds", type=float, default=0.0)
    end = time.perf_counter() + reader.parse_args().seconds
    solve = {"integral": integral, "plate": plate}[os.environ["SPECC_PROBLEM"]]
    times: list[float] = []
    while not times or time.perf_counter() < end:
        started = time.perf_counter()
        found, exact = solve(int(os.environ["SPECC_RESOLUTION"]), int(os.environ["SPECC_WAVES"]))
        times.append(time.perf_counter() - started)
    error = abs(found - exact) / exact
    print(json.dumps({"answer": found, "relative_error": error, "seconds": min(times)}))


if __name__ == "__main__":
    main()
