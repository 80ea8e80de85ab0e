"""Ask the server for answers of one size, one after the other, and print the rate.

Reads SPECC_API_PORT (the port that specc chose), SPECC_ANSWER_BYTES and SPECC_REQUESTS.
"""

import http.client
import json
import os
import time

size, count = int(os.environ["SPECC_ANSWER_BYTES"]), int(os.environ["SPECC_REQUESTS"])
connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["SPECC_API_PORT"]), timeout=10)
started = time.perf_counter()
for _ in range(count):
    connection.request("GET", f"/bytes?n={size}")
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200 or len(body) != size:
        raise SystemExit(f"status {answer.status}, {len(body)} bytes instead of {size}")
seconds = time.perf_counter() - started
print(json.dumps({"requests_per_s": count / seconds, "ms_per_request": 1000 * seconds / count}))
