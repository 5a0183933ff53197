"""Downloads that are interrupted, with the real apt and a small archive on this machine: what was fetched is kept, and gone on with."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sparsemem.lab.apt import Apt, Candidate
from sparsemem.lab.errors import GoneError, LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None, reason="no apt-get here"
)
WANTED = Candidate("sparsemem-test", "1.0")
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


class Archive:
    """``cut``: bytes of the package that are sent before the line is cut; ``slow``: seconds of silence then; ``ranges``: what was asked."""

    def __init__(self, root: Path) -> None:
        tree = root / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(
            "Package: sparsemem-test\nVersion: 1.0\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n"
        )
        (tree / "data").write_bytes(os.urandom(1 << 20))
        subprocess.run(["dpkg-deb", "--build", str(tree), str(root / "x.deb")], check=True, capture_output=True)  # noqa: S607
        self.deb = (root / "x.deb").read_bytes()
        self.cut: int | None = None
        self.slow = 0.0
        self.gone = False
        self.ranges: list[str | None] = []
        self.packages = (
            "Package: sparsemem-test\nVersion: 1.0\nArchitecture: all\nMaintainer: x <x@x>\nFilename: ./x.deb\n"
            f"Size: {len(self.deb)}\nSHA256: {hashlib.sha256(self.deb).hexdigest()}\nDescription: x\n"
        ).encode()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.path.endswith("/Packages"):
            self._send(request, 200, self.packages)
        elif not request.path.endswith(".deb") or self.gone:
            self._send(request, 404, b"")
        else:
            asked = request.headers.get("Range") if request.headers.get("If-Range") == DATE else None
            self.ranges.append(asked)
            start = int(re.sub(r"\D", "", asked)) if asked else 0
            self._send(request, 206 if asked else 200, self.deb, start)

    def _send(self, request: BaseHTTPRequestHandler, code: int, data: bytes, start: int = 0) -> None:
        request.send_response(code)
        request.send_header("Content-Length", str(len(data) - start))
        request.send_header("Last-Modified", DATE)
        request.send_header("Accept-Ranges", "bytes")
        if code == 206:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.end_headers()
        if self.cut is None or data is not self.deb:
            request.wfile.write(data[start:])
            return
        request.wfile.write(data[start : max(start, self.cut)])
        request.wfile.flush()
        time.sleep(self.slow)
        request.close_connection = True


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = Archive(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found.answer(self)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    line = f"deb [trusted=yes] http://127.0.0.1:{server.server_port}/ ./\n"
    monkeypatch.setattr(Apt, "_sources", lambda self: (self.root / "sources.list").write_text(line))
    Apt().update()
    yield found
    server.shutdown()
    server.server_close()


def whole(archive: Archive, apt: Apt) -> bool:
    path = apt.download(WANTED)
    left = list((apt.root / "incoming").iterdir())
    return path.read_bytes() == archive.deb and not left


def test_a_download_that_was_cut_goes_on_where_it_was(archive: Archive) -> None:
    apt = Apt()
    assert apt.search("sparsemem-.*") == [WANTED]
    archive.cut = len(archive.deb) // 2
    with pytest.raises(LabError, match="fetching sparsemem-test failed") as cut:
        apt.download(WANTED)
    assert "try again" in str(cut.value.remedy)
    assert not list((apt.root / "archives").glob("*.deb"))
    archive.cut = None
    archive.ranges.clear()
    assert whole(archive, apt)
    assert len(archive.ranges) == 1
    assert int(re.sub(r"\D", "", str(archive.ranges[0]))) > 100_000
    archive.ranges.clear()
    assert whole(archive, apt)  # it is there
    assert archive.ranges == []


def test_what_was_damaged_on_the_way_is_no_package(archive: Archive) -> None:
    apt = Apt()
    good, archive.deb = archive.deb, bytes(len(archive.deb))
    with pytest.raises(LabError, match="failed"):
        apt.download(WANTED)
    assert not list((apt.root / "archives").glob("*.deb"))
    archive.deb = good
    assert whole(archive, apt)


def test_what_the_index_names_and_the_archive_has_not_is_told_apart(archive: Archive) -> None:
    archive.gone = True
    with pytest.raises(GoneError, match="404"):
        Apt().download(WANTED)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fetch_that_is_killed_leaves_no_process_and_the_next_goes_on(
    archive: Archive, number: signal.Signals
) -> None:
    apt = Apt()
    archive.cut, archive.slow = len(archive.deb) // 2, 30.0
    code = (
        "from sparsemem.cli.lab import stoppable\nfrom sparsemem.lab.apt import Apt, Candidate\n"
        "with stoppable():\n Apt().download(Candidate('sparsemem-test', '1.0'))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not archive.ranges and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1.0)
    child.send_signal(number)
    assert child.wait(20) != 0
    end = time.monotonic() + 20
    while (left := at_work(apt.root)) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == []
    archive.cut = None
    archive.ranges.clear()
    assert whole(archive, apt)
    if number == signal.SIGTERM:  # killed, apt cannot date what it has: a mirror then sends the whole again
        assert archive.ranges[0] is not None


def at_work(root: Path) -> list[str]:
    """The processes that have this apt's configuration."""
    found = []
    for each in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"APT_CONFIG={root}".encode() in each.read_bytes() and each.parent.name != str(os.getpid()):
                found.append((each.parent / "cmdline").read_text())
        except OSError:
            continue
    return [each for each in found if each]
