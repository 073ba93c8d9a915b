"""selectors, asyncio, signal, time: an echo server and its clients in one loop."""
import asyncio
import signal
import time

async def echo(reader, writer):
    while data := await reader.read(1000):
        writer.write(data.upper())
        await writer.drain()
    writer.close()

async def client(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    total = 0
    for i in range(50):
        text = f"client {n} line {i}\n".encode()
        writer.write(text)
        assert await reader.readexactly(len(text)) == text.upper()
        total += len(text)
    writer.close()
    return total

async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(await asyncio.gather(*(client(port, n) for n in range(10))))
    server.close()
    before = time.monotonic()
    await asyncio.sleep(0.05)
    print(time.monotonic() - before >= 0.05)

asyncio.run(main())
hits = []
signal.signal(signal.SIGALRM, lambda *a: hits.append(a[0]))
signal.setitimer(signal.ITIMER_REAL, 0.02)
time.sleep(0.1)
print(len(hits))
