"""What people give the doctor by mistake: a clear answer in a line or two, and the documented exit code."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from sparsemem import fixtures
from sparsemem.cli.app import run
from sparsemem.doctor import diagnose, render_text
from sparsemem.readers import read_machine

if TYPE_CHECKING:
    from pathlib import Path

LAPTOP = "example:laptop"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "junk").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "directory").mkdir()
    (tmp_path / "garbage.log").write_bytes(b"[0.1] namespace0.0: misaligned\0\xff" + bytes(range(256)) * 40)
    (tmp_path / "scenario.toml").write_text('kernel = "6.1"\nsteps = []\n')
    (tmp_path / "hidden").write_text("00000000-00000000 : System RAM\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["{}/empty"], 3, "the file is empty"),
        (["{}/junk"], 3, "binary data that is no tarball"),
        (["{}/directory"], 3, "no description of memory found"),
        (["{}/nothing"], 4, "no such file"),
        (["{}/hidden"], 4, "every address in it is zero"),
        (["{}/scenario.toml"], 3, "no [machine] table"),
        (["--sysroot", "{}/empty"], 3, "the file is empty"),
        (["example:nothing"], 2, "no bundled machine"),
        (["6.1; junk"], 3, "not a range"),
        ([LAPTOP, "--kernel", "junk"], 2, "not a kernel version: 'junk'"),
        ([LAPTOP, "--kernel", ""], 2, "not a kernel version: ''"),
        ([LAPTOP, "--upgrade-to", "x"], 2, "not a kernel version: 'x'"),
        ([LAPTOP, "--compare", ","], 2, "names no kernel"),
        ([LAPTOP, "--compare", "5.1,zz"], 2, "not a kernel version: 'zz'"),
        ([LAPTOP, "--dmesg", "{}/garbage.log"], 3, "binary data that is no log"),
        ([LAPTOP, "--dmesg", "{}/empty"], 3, "the file is empty"),
        ([LAPTOP, "--dmesg", "{}/directory"], 3, "a directory, where a log was asked for"),
        ([LAPTOP, "--dmesg", "{}/nothing"], 4, "no such file"),
        ([LAPTOP, "--html", "{}/nowhere/page.html"], 4, "cannot write it"),
        ([LAPTOP, "--html", "{}/directory"], 4, "cannot write it"),
    ],
)
def test_a_clear_answer(bad: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str) -> None:
    assert run(["doctor", *(word.replace("{}", str(bad)) for word in words)]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("sparsemem: error: ")
    assert says in said.err
    assert len(said.err.splitlines()) <= 4


def test_a_file_without_permission(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (bad / "junk").chmod(0)
    assert run(["doctor", str(bad / "junk")]) == 4
    assert "permission denied" in capsys.readouterr().err


def test_an_older_kernel_to_go_to_is_judged_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    run(["doctor", LAPTOP, "--kernel", "6.1", "--upgrade-to", "5.1"])
    assert "from 6.1 to 5.1" in " ".join(capsys.readouterr().out.split())


def test_a_capture_that_ends_in_the_middle_is_never_simply_clean() -> None:
    packed = bytearray()
    path = fixtures.path("firecracker-vm")
    with tarfile.open(path) as archive:
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as other:
            for member in archive.getmembers():
                other.addfile(member, archive.extractfile(member) if member.isreg() else None)
        packed += plain.getvalue()
    from sparsemem.readers.combine import read_source
    from sparsemem.readers.tarball import open_tar

    broken = read_source(open_tar(bytes(packed), "cut.tar.xz", "ends in the middle"))
    found = diagnose(broken)
    assert "the archive ends in the middle" in render_text(found)
    assert "the archive" not in render_text(diagnose(read_machine(path)))


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.9, 0.99])
def test_a_cut_tarball_is_read_as_far_as_it_goes(
    tmp_path: Path, part: float, capsys: pytest.CaptureFixture[str]
) -> None:
    with open(fixtures.path("pmem-guest"), "rb") as file:
        data = file.read()
    (tmp_path / "cut.tar.xz").write_bytes(data[: int(len(data) * part)])
    code = run(["doctor", str(tmp_path / "cut.tar.xz")])
    said = capsys.readouterr()
    assert code in (0, 3, 4, 10, 11)
    assert "the archive ends in the middle" in " ".join((said.out + said.err).split())
