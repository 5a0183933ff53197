"""What goes wrong with real things: each a clear error in bounded time, with no process and no file left."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from sparsemem.errors import MissingExtraError, UnreadableError, UsageError
from sparsemem.lab import kernels, qemu
from sparsemem.lab.apt import Apt
from sparsemem.lab.cache import free_space, in_place, locked
from sparsemem.lab.errors import GuestLostError, LabError, RefusedByQemuError
from sparsemem.lab.guest import Guest
from sparsemem.lab.sections import SectionReader
from sparsemem.lab.userland import unpack
from sparsemem.play.scenario import MachineTable

ROOT = Path(__file__).parents[2]
TABLE = MachineTable("memory", "", 512 << 20)
LISTEN = """
import socket, sys, time
for word in sys.argv:
    if word.startswith("unix:"):
        s = socket.socket(socket.AF_UNIX); s.bind(word[5:].split(",")[0]); s.listen(1); globals().setdefault("kept", []).append(s)
for word in sys.argv:
    if word.startswith("file:"):
        open(word[5:], "w").write("[    0.0] Linux version 6.1\\n")
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a directory for temporary files that is looked at when the test is over."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def fake_qemu(place: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """A program of that name first in PATH, in Python; it writes its process id."""
    path = place / "bin" / qemu.BINARY
    path.parent.mkdir()
    path.write_text(
        f"#!{sys.executable}\nimport os\nopen({str(place / 'pid')!r}, 'w').write(str(os.getpid()))\n{program}\n"
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")


def nothing_is_left(place: Path) -> None:
    assert not list((place / "tmp").iterdir())
    pid = place / "pid"
    if pid.exists():
        assert not Path(f"/proc/{pid.read_text()}").exists()


def boot(seconds: float = 2.0) -> None:
    Guest(TABLE, Path("/nonexistent"), Path("/nonexistent"), boot_timeout=seconds)


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ("-device vmcoreinfo: 'vmcoreinfo' is not a valid device model name", LabError, "cannot run the guest"),
        ("-m 512M,slots=300: invalid memory slots", RefusedByQemuError, "invalid memory slots"),
    ],
)
def test_a_qemu_that_does_not_start(
    place: Path, monkeypatch: pytest.MonkeyPatch, words: str, error: type[LabError], said: str
) -> None:
    fake_qemu(place, monkeypatch, f"import sys\nsys.stderr.write({f'{qemu.BINARY}: {words}'!r})\nsys.exit(1)")
    with pytest.raises(LabError, match=said) as caught:
        boot()
    assert type(caught.value) is error
    nothing_is_left(place)


@pytest.mark.parametrize("then", ["time.sleep(600)", "sys.exit(0)"])
def test_a_guest_that_never_comes_up(place: Path, monkeypatch: pytest.MonkeyPatch, then: str) -> None:
    fake_qemu(place, monkeypatch, f"{LISTEN}\ntime.sleep(0.5)\n{then}")
    began = time.monotonic()
    with pytest.raises(GuestLostError) as lost:
        boot()
    assert "Linux version" in lost.value.console
    assert time.monotonic() - began < 20
    nothing_is_left(place)


def test_directories_of_labs_that_were_killed_are_swept(place: Path) -> None:
    gone, ours = place / "tmp" / "sparsemem-lab-999999999-x", place / "tmp" / f"sparsemem-lab-{os.getpid()}-x"
    gone.mkdir()
    ours.mkdir()
    qemu.sweep()
    assert not gone.exists()
    assert ours.exists()


def test_no_qemu_is_one_line_with_the_package(place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sparsemem", "verify", "examples/dimm.toml"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PATH": "/nonexistent"},
    )  # fmt: skip
    assert done.returncode == 7
    assert "no qemu-system-x86_64 here" in done.stderr
    assert "apt-get install" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    nothing_is_left(place)


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["verify", "/nonexistent.toml"], 4, "/nonexistent.toml"),
        (["verify", "README.md"], 3, "TOML"),
        (["kernels", "remove", "9.9"], 2, "9.9"),
        (["kernels", "add", "README.md"], 2, "bzImage"),
        (["kernels", "add", "/nonexistent"], 4, "/nonexistent"),
        (["kernels", "list"], 0, ""),
        (["fuzz", "--steps", "0"], 2, "steps"),
    ],
)
def test_wrong_words(place: Path, argv: list[str], code: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sparsemem", *argv], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_said_before_anything_is_fetched(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabError, match=r"needs 1048576 MiB.*left"):
        free_space(place, 1 << 40, "kernel 6.1")
    (place / "bad").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "bad"))
    with pytest.raises(LabError, match="cannot make the cache"):
        kernels.installed()


def _half_done(final: Path, then: BaseException) -> None:
    with in_place(final) as work:
        (work / "half").write_text("x")
        raise then


def test_a_disk_that_fills_up_leaves_nothing_half_done(place: Path) -> None:
    final = place / "thing"
    with pytest.raises(LabError, match="no space left"):
        _half_done(final, OSError(errno.ENOSPC, "No space left on device"))
    assert not final.exists()
    assert not list(place.glob(".thing.*"))
    with in_place(final) as work:
        (work / "whole").write_text("x")
    assert [each.name for each in final.iterdir()] == ["whole"]


def test_an_interrupt_leaves_nothing_half_done(place: Path) -> None:
    (place / ".thing.left-by-a-kill").mkdir()
    with pytest.raises(KeyboardInterrupt):
        _half_done(place / "thing", KeyboardInterrupt())
    assert [each.name for each in place.iterdir()] == ["tmp"]


def test_two_at_once_wait_for_each_other(place: Path) -> None:
    code = "from sparsemem.lab.cache import locked\nwith locked('x', print): print('in', flush=True)"
    with locked("x"):
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert "waiting" in other.stdout.readline()
    assert other.communicate(timeout=20)[0] == "in\n"


def test_a_damaged_package_is_said_and_removed(place: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("no dpkg-deb here")
    deb = place / "broken.deb"
    deb.write_bytes(b"!<arch>\nhalf a download")
    with pytest.raises(LabError, match="damaged"):
        unpack(deb, place / "into")
    assert not deb.exists()


def test_a_download_that_fails_is_one_error_and_is_no_package(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """apt-get says where, writes half of it and fails, as when the network goes away."""
    program = place / "bin" / "apt-get"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\ncase "$*" in *print-uris*) echo "\'http://x/a_1_amd64.deb\' a_1_amd64.deb 10 SHA256:0";;\n'
        "*) echo half > a_1_amd64.deb; echo 'E: Failed to fetch' >&2; exit 100;; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    from sparsemem.lab.apt import Candidate

    apt = Apt()
    for _ in range(2):
        with pytest.raises(LabError, match="fetching a failed"):
            apt.download(Candidate("a", "1"))
    assert not list((apt.root / "archives").glob("*.deb"))
    program.write_text(program.read_text().replace("exit 100", "exit 0"))
    assert apt.download(Candidate("a", "1")).read_text() == "half\n"


def test_a_kernel_of_ones_own_is_checked(place: Path) -> None:
    image = place / "bzImage"
    head = bytearray(0x1000)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x400).to_bytes(2, "little")
    head[0x600:0x620] = b"6.1.5-mine (me@here) #1 SMP\0\0\0\0\0"
    image.write_bytes(head)
    with pytest.raises(UsageError, match="not a vmlinux"):
        kernels.add(str(image), debuginfo=str(image))
    with pytest.raises(UnreadableError):
        kernels.add(str(image), debuginfo="/nonexistent")
    with pytest.raises(UsageError, match="not the modules of"):
        kernels.add(str(image), modules=str(place))
    assert kernels.installed() == []
    added = kernels.add(str(image), name="mine")
    assert (added.version, added.release, added.vmlinux, added.modules) == ("6.1.5", "6.1.5-mine", None, None)
    assert [each.name for each in kernels.installed()] == ["mine"]
    kernels.remove("mine")
    assert kernels.installed() == []


def test_symbols_that_do_not_fit_are_one_error(place: Path) -> None:
    try:
        with pytest.raises(LabError, match="drgn cannot read this guest"):
            SectionReader(Path("/nonexistent"), str(place / "no-socket"))
    except MissingExtraError as missing:
        pytest.skip(missing.what)
