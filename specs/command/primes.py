"""Count the primes below SPECC_LIMIT by SPECC_METHOD; print the rate as one JSON line."""

import json
import os
import time


def by_sieve(limit: int) -> int:
    """Count with the sieve of Eratosthenes."""
    flags = bytearray([1]) * limit
    flags[:2] = b"\0\0"
    for n in range(2, int(limit**0.5) + 1):
        if flags[n]:
            flags[n * n :: n] = bytes(len(range(n * n, limit, n)))
    return sum(flags)


def by_division(limit: int) -> int:
    """Count by trial division."""
    primes: list[int] = []
    for n in range(2, limit):
        for p in primes:
            if p * p > n:
                primes.append(n)
                break
            if n % p == 0:
                break
        else:
            primes.append(n)
    return len(primes)


def main() -> None:
    """Read the parameters from the environment, measure, print."""
    limit = int(os.environ["SPECC_LIMIT"])
    count = {"sieve": by_sieve, "division": by_division}[os.environ["SPECC_METHOD"]]
    started = time.perf_counter()
    primes = count(limit)
    seconds = time.perf_counter() - started
    print(json.dumps({"primes": primes, "seconds": seconds, "numbers_per_s": limit / seconds}))


main()
