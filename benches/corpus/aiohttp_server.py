"""aiohttp with a middleware, asked for what it does not have: 3.10.10 keeps something for each 404
(GHSA-27mf-ghqm-j3j8), 3.10.11 does not."""

import asyncio
import sys

import aiohttp
from aiohttp import web


@web.middleware
async def middleware(request, handler):
    return await handler(request)


async def ask(port):
    """Asks for one path after the other that is not there."""
    async with aiohttp.ClientSession() as session:
        number = 0
        while True:
            for _ in range(3):
                number += 1
                async with session.get(f"http://127.0.0.1:{port}/{number}") as response:
                    await response.read()
            await asyncio.sleep(0.05)


async def main():
    if sys.argv[1] == "ask":
        await ask(int(sys.argv[2]))
    runner = web.AppRunner(web.Application(middlewares=[middleware]))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[2])).start()
    await asyncio.Event().wait()


asyncio.run(main())
