"""What `ttsa proxy` costs on the first byte: each request asked directly and through the proxy, in turn.

    python benchmarks/proxy_cost.py [PAIRS]

Server, proxy and client are processes of their own on one machine. The server answers at once, so that nothing hides
the proxy; both connections are kept alive. Printed are medians and p99 of both roads and of the paired differences, and
the same for the whole answer of 200 kB. The aim is 2 ms on the first byte.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AIM_MS = 2.0
PIECE, PIECES = 4_000, 50
BODY = json.dumps({"input": "The harbour was quiet.", "response_format": "pcm"}).encode()
HEAD = b"POST /v1/audio/speech HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: audio/pcm\r\nx-ttsa-pcm: s16le:24000:1\r\ncontent-length: %d\r\n\r\n"


def serve() -> None:
    """Answer every request on a free port at once, in pieces, until the process is ended."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        peer, _ = listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_talk, args=(peer,), daemon=True).start()


def _talk(peer: socket.socket) -> None:
    held = b""
    while data := peer.recv(65536):
        held += data
        if not held.endswith(BODY):
            continue
        held = b""
        peer.sendall(ANSWER % (PIECE * PIECES) + bytes(PIECE))
        for _ in range(PIECES - 1):
            peer.sendall(bytes(PIECE))


@contextlib.contextmanager
def running(argv: Sequence[str]) -> Iterator[int]:
    """Yield the port that a process prints on its first line."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"(\d+)( ->|\s*$)", process.stdout.readline())
        assert found is not None
        yield int(found[1])
    finally:
        process.terminate()
        process.wait()


def asked(peer: socket.socket) -> tuple[float, float]:
    """Return the milliseconds to the first byte and to the last one."""
    wanted = PIECE * PIECES
    began = time.perf_counter_ns()
    peer.sendall(HEAD % len(BODY) + BODY)
    got = peer.recv(65536)
    first = time.perf_counter_ns()
    head, _, body = got.partition(b"\r\n\r\n")
    assert head
    size = len(body)
    while size < wanted:
        size += len(peer.recv(1 << 18))
    return (first - began) / 1e6, (time.perf_counter_ns() - began) / 1e6


def row(name: str, values: Sequence[float]) -> str:
    """Return a line of the table: median and p99 in milliseconds."""
    held = sorted(values)
    return f"{name:<28}{held[len(held) // 2]:>10.3f}{held[int(len(held) * 0.99)]:>10.3f}"


def main() -> None:
    """Measure and print."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder, running([sys.executable, __file__, "--serve"]) as port:
        words = ["proxy", "--to", f"http://127.0.0.1:{port}", "-o", os.path.join(folder, "heard"), "-q"]
        with running([sys.executable, "-m", "ttsartifact", *words]) as through:
            roads = [socket.create_connection(("127.0.0.1", each)) for each in (port, through)]
            for _ in range(20):  # both roads warm
                for road in roads:
                    asked(road)
            found = [(asked(roads[0]), asked(roads[1])) for _ in range(pairs)]
    print(f"{pairs} pairs, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'ms':<28}{'median':>10}{'p99':>10}")
    for place, what in enumerate(("first byte", "last byte")):
        direct, proxied = ([pair[road][place] for pair in found] for road in (0, 1))
        print(row(f"{what}, direct", direct))
        print(row(f"{what}, through the proxy", proxied))
        print(
            row(f"{what}, paired difference", [after - before for before, after in zip(direct, proxied, strict=True)])
        )
    print(f"aim: {AIM_MS} ms on the first byte")


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        main()
