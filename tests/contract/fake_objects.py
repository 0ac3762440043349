"""A server on loopback that speaks as much of S3 as storing and finding an object takes, and misbehaves on demand."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeObjects:
    """What was stored, by path, and how to answer. `status` other than 200 refuses; `stalled` set lets answers out."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.signed_by: list[str] = []
        self.status = 200
        self.forgets = False
        self.cut_bytes = 0
        self.answering = threading.Event()
        self.answering.set()
        self.url = ""

    def put(self, path: str, content: bytes) -> None:
        if not self.forgets:
            self.objects[path] = content[: len(content) - self.cut_bytes]


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FakeObjects

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        if self._noted() == 200:
            self.state.put(self.path, content)
        self._answer(self.state.status, 0)

    def do_HEAD(self) -> None:
        status, found = self._noted(), self.state.objects.get(self.path)
        if status == 200 and found is None:
            status = 404
        self._answer(status, len(found or b""))

    def _noted(self) -> int:
        self.state.requests.append(self.command)
        self.state.signed_by.append(self.headers.get("authorization", ""))
        self.state.answering.wait(30)
        return self.state.status

    def _answer(self, status: int, size: int) -> None:
        self.send_response(status)
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        del format, args


@contextmanager
def fake_objects(set_environment: Callable[[str, str], None]) -> Iterator[FakeObjects]:
    """A running server, and an environment in which S3 is that server."""
    state = FakeObjects()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"state": state}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    set_environment("AWS_ENDPOINT_URL", state.url)
    set_environment("AWS_REGION", "nowhere")
    set_environment("AWS_ACCESS_KEY_ID", "key-of-the-environment")
    set_environment("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    try:
        yield state
    finally:
        state.answering.set()
        server.shutdown()
        thread.join()
        server.server_close()
