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

from sparsemem.cli.lab import stoppable
from sparsemem.errors import MissingExtraError, UnreadableError, UsageError
from sparsemem.lab import initramfs as guest_image
from sparsemem.lab import kernels, qemu
from sparsemem.lab.bench import Bench
from sparsemem.lab.cache import cache_dir, free_space, in_place, in_use, locked
from sparsemem.lab.conversation import GuestAnswer
from sparsemem.lab.errors import GuestLostError, LabError, LackingQemuError, RefusedByQemuError
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
        ("-device vmcoreinfo: 'vmcoreinfo' is not a valid device model name", LackingQemuError, "cannot run the guest"),
        ("unsupported machine type", LackingQemuError, "cannot run the guest"),
        ("Property 'pc-q35-4.0-machine.nvdimm' not found", LackingQemuError, "cannot run the guest"),
        ("invalid accelerator kvm", LackingQemuError, "cannot run the guest"),
        ("-serial file:/x: Could not open '/x': No space left on device", LabError, "does not start here"),
        ("cannot set up guest memory 'pc.ram': Cannot allocate memory", LabError, "does not start here"),
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


def test_kvm_is_used_only_where_a_canary_boots_with_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That the device is there says nothing: a QEMU that ends, or a guest that is silent, is no canary that sings."""
    (place / "kvm").touch()
    monkeypatch.setattr(qemu, "_KVM", place / "kvm")
    sings = "Run /init as init process"
    for then, words, expected in (
        ("sys.exit(1)", "", "tcg"),
        ("time.sleep(600)", "", "tcg"),
        ("time.sleep(600)", sings, "kvm"),
    ):
        shutil.rmtree(place / "bin", ignore_errors=True)
        wanted = f"{LISTEN}\nassert 'accel=kvm' in ' '.join(sys.argv)"
        fake_qemu(place, monkeypatch, f"{wanted.replace('Linux version 6.1', 'Linux version 6.1 ' + words)}\n{then}")
        began = time.monotonic()
        assert qemu._canary(Path("/k"), Path("/i"), seconds=3.0) == (expected == "kvm")
        assert time.monotonic() - began < 20
        monkeypatch.setattr(qemu, "_accelerator", None)
        if then != "time.sleep(600)" or words:
            assert qemu.accelerator(Path("/k"), Path("/i")) == expected
        nothing_is_left(place)
    monkeypatch.setattr(qemu, "_accelerator", None)
    monkeypatch.setattr(qemu, "_KVM", place / "no-kvm")
    assert qemu.accelerator(Path("/k"), Path("/i")) == "tcg"
    monkeypatch.setattr(qemu, "_accelerator", None)


def test_a_device_that_this_qemu_has_not_is_no_answer_to_a_step() -> None:
    """``plug`` of what QEMU refuses is an answer to compare; of what QEMU does not know is a fault of the lab."""
    guest = Guest.__new__(Guest)
    guest.fresh = True

    def lacking() -> None:
        raise LackingQemuError("this QEMU cannot do it: 'virtio-mem-pci' is not a valid device model name")

    with pytest.raises(LackingQemuError):
        guest._hypervisor(lacking, look=False)


def test_a_kernel_without_a_driver_is_said_with_its_name() -> None:
    class Shell:
        def run(self, command: str) -> GuestAnswer:
            return GuestAnswer(0, "nd/drivers/nd_pmem\ndax/drivers/kmem\n", ())

    bench = Bench(
        kernels.KernelImage("mine", "6.1.5", "6.1.5-mine", "added", Path("/nonexistent")), Path("/nonexistent")
    )
    with pytest.raises(LabError, match="kernel mine lacks nd_pmem, kmem") as lacks:
        bench._check_drivers(Shell())  # type: ignore[arg-type]
    assert "--modules" in str(lacks.value.remedy)


def test_the_console_of_a_guest_that_prints_without_end_is_not_read_whole(place: Path) -> None:
    table = qemu.Qemu.__new__(qemu.Qemu)
    table.directory = place
    (place / "console").write_bytes(b"Linux version 6.1\n" + b"x" * (3 << 20) + b"\nthe end\n")
    assert len(table.console()) == 1 << 20
    assert table.console().endswith("the end\n")
    assert table._console(1 << 10).startswith("Linux version")


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "../../x", "", "a b"])
def test_what_is_no_name_of_a_kernel_reaches_no_file(place: Path, name: str) -> None:
    for ask in (kernels.remove, kernels.find, kernels.fetch):
        with pytest.raises(UsageError, match="not a name for a kernel"):
            ask(name)


def test_images_of_another_sparsemem_stay_and_old_ones_go(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two versions that are at work at once have guests of their own; one must not take the other's image away."""
    root, images = place / "userland", cache_dir() / "initramfs"
    root.mkdir()
    images.mkdir()
    (place / "vmlinuz").touch()
    image = kernels.KernelImage("6.1", "6.1.5", "6.1.5-x", "package", place)
    monkeypatch.setattr(guest_image, "_pack", lambda image, root: b"packed")
    theirs, old, half = images / "6.1-theirs.img", images / "6.1-old.img", images / "6.1-half.tmp"
    for each in (theirs, old, half):
        each.write_bytes(b"x")
    os.utime(old, (0, 0))
    ours = guest_image.initramfs(image, root)
    assert sorted(images.iterdir()) == sorted([ours, theirs])
    os.utime(ours, (0, 0))
    assert guest_image.initramfs(image, root) == ours
    assert ours.stat().st_mtime > 0  # it was asked for: it is not old


def test_a_kernel_that_is_in_use_is_not_replaced(place: Path) -> None:
    hold = in_use("kernel-6.1")
    in_use("kernel-6.1").close()  # others may use it, too
    code = "from sparsemem.lab.cache import locked\nwith locked('kernel-6.1', print): print('in', flush=True)"
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert "waiting" in other.stdout.readline()
    hold.close()
    assert other.communicate(timeout=20)[0] == "in\n"


def test_a_disk_that_is_full_while_the_guest_is_packed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "modules/6.1.5-x").mkdir(parents=True)
    (place / "modules/6.1.5-x/a.ko").touch()
    image = kernels.KernelImage("6.1", "6.1.5", "6.1.5-x", "package", place)

    def full(*told: object, **named: object) -> None:
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")])

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(LabError, match="No space left"), stoppable():
        guest_image._add_modules(guest_image.Archive(), image, place)
    nothing_is_left(place)
