"""Sends export requests from several connections at once: `python -m benchmarks.ingest_senders PORT REQUESTS SENDERS`."""

import asyncio
import json
import os
import random
import sys
import time

import aiohttp

from benchmarks.ingest import PER_REQUEST
from benchmarks.spans import request


async def _main(port: int, requests: int, senders: int) -> list[float]:
    headers = {"Authorization": f"Bearer {os.environ['SENDERS_KEY']}", "Content-Type": "application/x-protobuf"}
    left = iter(range(requests))
    waits: list[float] = []

    async def send(session: aiohttp.ClientSession) -> None:
        generator = random.Random()
        for _ in left:
            body = request(PER_REQUEST, generator)
            started = time.monotonic()
            async with session.post(f"http://127.0.0.1:{port}/v1/traces", data=body, headers=headers) as answer:
                told = await answer.read()
                if answer.status != 200 or told:
                    raise RuntimeError(f"{answer.status} {told!r}")
            waits.append(time.monotonic() - started)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(send(session) for _ in range(senders)))
    return waits


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_main(*map(int, sys.argv[1:4])))))
