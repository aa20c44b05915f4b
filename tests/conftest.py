"""What tests share: threads, draws of property tests, recordings, and a server of files."""

import re
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from audiopg.datasets import LabelledClips, find_dataset
from audiopg.environment import data_folder

# Tests run side by side, one a core; threads inside each would only fight for the same cores.
torch.set_num_threads(1)

# Without a draw of its own in every run, a clone passes or fails alike for everyone.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def recordings_folder() -> Iterator[Path | None]:
    """The folder that AUDIOPG_DATA names, or None; the variable itself is unset for every test.

    So a test behaves alike with and without recordings, unless it asks for them by a fixture.
    """
    folder = data_folder()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AUDIOPG_DATA", raising=False)
        yield folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The cache of the tests, which is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOPG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def real_recordings(recordings_folder: Path | None) -> Callable[[str], LabelledClips]:
    """A function that gives a real data set by its name, or skips the test where it is not."""

    def find(name: str) -> LabelledClips:
        clips = find_dataset(name, recordings_folder)
        if clips is None:
            pytest.skip(f"AUDIOPG_DATA names no folder that holds {name}")
        return clips

    return find


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for recordings: ``-m recordings`` selects all that differs without them."""
    for item in items:
        if "real_recordings" in item.fixturenames:
            item.add_marker("recordings")


@pytest.fixture
def largest_file() -> Callable[[int], AbstractContextManager]:
    """A limit on the bytes of files, which fails as a full disk does, in the middle of a write."""

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


class Server:
    """Serves files by path and notes every request; may break off, or know no ranges."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.break_after: list[int] = []  # Bytes to send before each break, while there are any.
        self.knows_ranges = True
        self.says_length = True

    @contextmanager
    def running(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.http.shutdown()
            thread.join()
            self.http.server_close()

    def url(self, name):
        return f"http://127.0.0.1:{self.http.server_port}/{name}"

    def answer(self, request):
        wanted = request.headers["Range"]
        self.requests.append((request.path[1:], wanted))
        content = self.files.get(request.path[1:])
        if content is None:
            request.send_error(404)
            return
        first = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if wanted and self.knows_ranges:
            if first >= len(content):
                request.send_response(416)
                request.send_header("Content-Range", f"bytes */{len(content)}")
                request.end_headers()
                return
            body = content[first:]
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        else:
            body = content
            request.send_response(200)
        if self.says_length:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.break_after.pop(0)] if self.break_after else body)


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server().running() as running:
        yield running


@contextmanager
def rough_products() -> Iterator[None]:
    """Products of float32 in bfloat16, wherever a backend has it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.fixture(
    params=[
        torch.no_grad,
        torch.inference_mode,
        partial(torch.autocast, "cpu", torch.bfloat16),
        rough_products,
        partial(torch.device, "meta"),
    ],
    ids=["no_grad", "inference_mode", "autocast", "rough_products", "meta"],
)
def told(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager]:
    """What a notebook may have told all of torch, as a context."""
    return request.param
