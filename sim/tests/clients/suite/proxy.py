"""A TCP proxy before a broker that cuts connections where it hurts: the broker has done what a Produce
request asked, and the connection ends in place of the answer. Only clients whose client id begins with
`cut` are hurt, in every seventh of their Produce requests; every cut is a line of the log that `cuts` names.

Clients are told to come back to the proxy: wherever a response names the broker's host and port, as
Metadata and FindCoordinator do, the port is replaced by the proxy's own.
"""

import asyncio
import collections
import struct

PRODUCE = 0
# More than clients have in flight, so that each connection gets something done.
CUT_EVERY = 7
MAX_FRAME_BYTES = 16 * 1024 * 1024


class Proxy:
    """Serves until its task is cancelled; `port` is known once `start` returns."""

    def __init__(self, host, port, cuts):
        self.host, self.broker_port, self.cuts = host, port, cuts
        self.port = None
        self.produced = collections.Counter()

    async def start(self):
        server = await asyncio.start_server(self.connection, "127.0.0.1", 0, limit=MAX_FRAME_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        host = self.host.encode()
        named = struct.pack(">h", len(host)) + host, bytes([len(host) + 1]) + host
        self.names = [(name + struct.pack(">i", self.broker_port), name + struct.pack(">i", self.port))
                      for name in named]
        return server

    async def connection(self, client_reader, client_writer):
        try:
            broker_reader, broker_writer = await asyncio.open_connection(
                self.host, self.broker_port, limit=MAX_FRAME_BYTES)
        except OSError:
            client_writer.close()
            return
        doomed = set()  # correlation ids whose answers are withheld
        ways = [asyncio.create_task(self.requests(client_reader, broker_writer, doomed)),
                asyncio.create_task(self.responses(broker_reader, client_writer, doomed))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        client_writer.close()
        broker_writer.close()

    async def requests(self, reader, writer, doomed):
        while frame := await read_frame(reader):
            key, _version, correlation = struct.unpack_from(">hhi", frame)
            if key == PRODUCE and self.is_doomed(client_id(frame)):
                doomed.add(correlation)
            await write_frame(writer, frame)

    async def responses(self, reader, writer, doomed):
        while frame := await read_frame(reader):
            if struct.unpack_from(">i", frame)[0] in doomed:
                return
            for broker, proxy in self.names:
                frame = frame.replace(broker, proxy)
            await write_frame(writer, frame)

    def is_doomed(self, client):
        if not client.startswith("cut"):
            return False
        self.produced[client] += 1
        if self.produced[client] % CUT_EVERY:
            return False
        with open(self.cuts, "a", encoding="utf-8") as log:
            log.write(client + "\n")
        return True


def client_id(frame):
    (length,) = struct.unpack_from(">h", frame, 8)
    return frame[10:10 + max(length, 0)].decode()


async def read_frame(reader):
    """The next frame without its size, or None when the connection has ended."""
    try:
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        if not 0 < size <= MAX_FRAME_BYTES:
            return None
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def write_frame(writer, frame):
    writer.write(struct.pack(">i", len(frame)) + frame)
    await writer.drain()
