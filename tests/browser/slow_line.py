"""A line on which every byte takes a while, between a browser and the dashboard."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


@contextmanager
def slow_line(address: str, seconds: float) -> Iterator[str]:
    """The address of a proxy that passes everything on to `address` after that time, both ways."""
    port = urlsplit(address).port
    loop = asyncio.new_event_loop()

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def send() -> None:
            while (entry := await waiting.get())[1]:
                await asyncio.sleep(max(0.0, entry[0] - loop.time()))
                target.write(entry[1])
                await target.drain()
            target.close()

        sender = asyncio.create_task(send())
        with suppress(ConnectionError):
            while data := await source.read(65536):
                waiting.put_nowait((loop.time() + seconds, data))
        waiting.put_nowait((0.0, b""))
        with suppress(ConnectionError):
            await sender

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        above = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, above[1]), carry(above[0], writer))

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    begun = asyncio.run_coroutine_threadsafe(asyncio.start_server(connect, "127.0.0.1", 0), loop).result(10)
    try:
        yield f"http://127.0.0.1:{begun.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
