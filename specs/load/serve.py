"""A service with a known limit: so many requests at a time, 5 to 15 ms each; the others queue.

Usage: serve.py PORT SLOTS. /health answers at once, any other path takes a slot. It works by
waiting, so that its limit of SLOTS / 10 ms is the same on every machine.
"""

import asyncio
import random
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def serve(port, slots):
    free = asyncio.Semaphore(slots)
    chance = random.Random(7)

    async def answer(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"GET /health"):
                    async with free:
                        await asyncio.sleep(chance.uniform(0.005, 0.015))
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    print("listening on port", port, flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
