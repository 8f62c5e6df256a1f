"""Senders on this machine, for live inputs: over TCP, UDP, HTTP and RTSP, and through a named pipe."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# PyAV holds Python's lock while an output connects, so a listener in the same process would never answer
PUSH = """
import sys, time, av
path, url, n_times = sys.argv[1:]
n_left = int(n_times)
while n_left:
    try:
        with av.open(path) as source, av.open(url, "w", format="rtsp", options={"rtsp_transport": "tcp"}) as sink:
            video = source.streams.video[0]
            copy = sink.add_stream_from_template(video)
            for packet in source.demux(video):
                if packet.size:
                    packet.stream = copy
                    sink.mux(packet)
                    time.sleep(0.005)
        n_left -= 1
    except av.FFmpegError:  # nobody listens yet
        time.sleep(0.02)
"""
TS_PACKET_BYTES = 188
STUFFING = b"\x47\x1f\xff\x10" + b"\xff" * (TS_PACKET_BYTES - 4)
DATAGRAM_BYTES = 7 * TS_PACKET_BYTES


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Find a port that nobody uses."""
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def tcp_sender(contents: Sequence[bytes], hold_s: float = 0.0) -> Iterator[str]:
    """Send each of the contents to one caller after the other, then be gone; yields the address.

    Args:
        hold_s: how long a connection stays open with nothing more to say.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            for content in contents:
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(content)
                    time.sleep(hold_s)

    with _running(serve):
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def udp_sender(contents: Sequence[bytes], length_s: float, pause_s: float = 0.0) -> Iterator[str]:
    """Send MPEG-TS in datagrams, each of the contents over so many seconds, with pauses after; yields the address.

    Each begins when somebody listens.
    """
    port = free_port(socket.SOCK_DGRAM)

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", port))
            for content in contents:
                _wait_for_listener(sender)
                pieces = [content[start : start + DATAGRAM_BYTES] for start in range(0, len(content), DATAGRAM_BYTES)]
                for piece in pieces:
                    sender.send(piece)
                    time.sleep(length_s / len(pieces))
                time.sleep(pause_s)

    with _running(send):
        yield f"udp://127.0.0.1:{port}"


def _wait_for_listener(sender: socket.socket) -> None:
    """Send stuffing until it isn't refused any more."""
    for _ in range(500):
        with contextlib.suppress(ConnectionRefusedError):
            sender.send(STUFFING)
            time.sleep(0.01)
            sender.send(STUFFING)  # the system tells of a refusal by the next call
            return


@contextmanager
def http_server(folder: Path) -> Iterator[str]:
    """Serve the files of a folder; yields its address."""
    handler = partial(_SilentHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, _running(server.serve_forever):
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


@contextmanager
def fifo_writer(path: Path, parts: Sequence[bytes], pause_s: float = 0.0) -> Iterator[None]:
    """Write the parts into a named pipe, with pauses between them."""

    def write() -> None:
        with path.open("wb") as fifo:
            for number, part in enumerate(parts):
                time.sleep(pause_s if number else 0.0)
                fifo.write(part)
                fifo.flush()

    with _running(write):
        yield


@contextmanager
def rtsp_pusher(path: Path, url: str, n_times: int = 1) -> Iterator[None]:
    """Push a file to who listens at an RTSP address, as soon as somebody does, so many times."""
    with subprocess.Popen([sys.executable, "-c", PUSH, str(path), url, str(n_times)]) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def _running(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join(5)
