"""``sparsemem plan`` from the command line: what it takes for a machine and an intent, its forms, its exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from sparsemem.cli.app import app, run
from tests.planner.machines import GIB, line

if TYPE_CHECKING:
    from pathlib import Path

BOARD = line("6.1", 2 * GIB)


def _plan(*words: str) -> Result:
    return CliRunner().invoke(app, ["plan", *words], standalone_mode=False)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((BOARD, "fsdax 1G"), 0),
        ((BOARD, "fsdax 3G"), 13),
        (("examples/sub_section.toml", "fsdax 64M"), 0),
        (("example:memmap-guest", "replace namespace0.0, fsdax rest"), 0),
        (("--vm", "ram 4G, pmem 1G"), 0),
        (("--vm", "ram 4G, dimm 100M"), 13),
        (("--vm", "ram 4G, pmem 1G", "2 x fsdax rest"), 0),
        (("--vm", "ram 4G", BOARD, "fsdax 1G"), 2),
        ((BOARD, BOARD, "fsdax 1G"), 2),
        ((), 2),
        ((BOARD, "fsdax"), 3),
        ((BOARD, "fsdax 24"), 3),
        ((BOARD, ""), 3),
        ((BOARD, 'fsdax 1G name="a'), 3),
        ((BOARD, "\u00b2 x fsdax 1G"), 3),
        ((BOARD, "fsdax 1" + "0" * 30), 3),
        ((BOARD, "fsdax 1G on node7"), 3),
        ((BOARD, "fsdax 1G align=3M"), 13),
        ((BOARD, "4096 x fsdax 16M"), 13),
        (("6.1; 1M-2G ram", "fsdax 1G"), 13),
        (("6.1; 1M-2G ram", "system-ram, all whole blocks"), 13),
        ((BOARD, "fsdax 1G on region7"), 3),
        ((BOARD, "replace namespace0.0, fsdax 1G"), 3),
        (("--vm", "disk 1G"), 3),
        (("--intent", "none.toml"), 4),
        ((BOARD, "fsdax 1G", "--ndctl-version", "50"), 6),
    ],
)
def test_exit_codes(words: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", *words]) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert bool(said.out) == (code in (0, 13))
    if code not in (0, 13):
        assert said.err.startswith("sparsemem: error:")
        assert len(said.err.splitlines()) <= 2


def test_an_intent_from_a_file_is_the_same(tmp_path: Path) -> None:
    file = tmp_path / "intent.toml"
    file.write_text('[[item]]\nmode = "fsdax"\nsize = "1G"\nname = "db"\n')
    words = json.loads(_plan(BOARD, "fsdax 1G name=db", "--json").stdout)
    assert json.loads(_plan(BOARD, "--intent", str(file), "--json").stdout) == words
    assert words["commands"][0]["argv"] == [
        "ndctl",
        "create-namespace",
        "-r",
        "region0",
        "-m",
        "fsdax",
        "-s",
        "1G",
        "-n",
        "db",
    ]
    assert words["commands"][0]["expect"][0]["shows"]["size"] == words["namespaces"][0]["usable_size"]


@pytest.mark.parametrize(
    "name",
    [
        "arm64-virt",
        "firecracker-vm",
        "laptop",
        "memmap-guest",
        "mixed-region",
        "pmem-guest",
        "pmem-kmem",
        "pmem-two-regions",
        "ram-beside-pmem",
    ],
)
@pytest.mark.parametrize("intent", ["fsdax 64M", "replace all, system-ram rest", "2 x devdax rest"])
def test_every_bundled_machine_has_an_answer(name: str, intent: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["plan", f"example:{name}", intent])
    said = capsys.readouterr()
    assert code in (0, 3, 6, 13), said
    assert code in (0, 13) or "hint" in said.err or "cannot tell" in said.err, said.err


def test_another_kernel_and_release() -> None:
    old = _plan(BOARD, "2 x fsdax 64M", "--kernel", "5.2", "--ndctl-version", "67", "--json")
    assert old.return_value == 13
    assert json.loads(old.stdout)["kernel"] == "5.2"


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_too_wide(width: int) -> None:
    shown = _plan(BOARD, "fsdax usable 500M name=db, system-ram rest", "--width", str(width)).stdout
    assert all(len(each) <= width for each in shown.splitlines())
    assert "before" in shown
    assert "after" in shown


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((BOARD, "fsdax 1G"), 0, "ndctl create-namespace -r region0 -m fsdax -s 1G"),
        ((BOARD, "fsdax 3G"), 13, "nearest that can be had"),
        (("--vm", "ram 4G, pmem 1G"), 0, "qemu-system-x86_64"),
        (("--vm", "ram 4G, pmem 1G", "2 x fsdax rest"), 0, "qemu-system-x86_64"),
    ],
)
def test_a_page_in_place_of_the_text(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    file = tmp_path / "plan.html"
    done = _plan(*words, "--html", str(file))
    assert (done.return_value, done.stdout) == (code, "")
    assert done.stderr == f"{file}: {file.stat().st_size} bytes\n"
    assert said in file.read_text(encoding="utf-8")
    assert _plan(*words, "--html", "-").stdout.startswith("<!DOCTYPE html>")


def test_svg() -> None:
    for intent, code in (("fsdax 1G", 0), ("fsdax 3G", 13)):
        done = _plan(BOARD, intent, "--svg", "-")
        assert done.return_value == code
        assert done.stdout.startswith("<svg")


def test_a_guest_that_cannot_be_has_no_page(tmp_path: Path) -> None:
    done = _plan("--vm", "ram 4G, dimm 100M", "--html", str(tmp_path / "x.html"))
    assert done.return_value == 13
    assert not (tmp_path / "x.html").exists()
    assert "no such guest" in done.stdout
    assert "is not written" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--html", "x", "--json"), ("--html", "x", "--svg", "y"), ("--svg", "x", "--script"),
        ("--html", "x", "--apply", "--rehearse"),
    ],
)  # fmt: skip
def test_one_form_at_a_time(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", BOARD, "fsdax 1G", *words]) == 2
    assert run(["plan", BOARD, "fsdax 1G", "--html", "/nonexistent/x"]) == 4
    assert run(["plan", "--vm", "ram 4G, pmem 1G", "--svg", "x"]) == 2
    assert "Traceback" not in capsys.readouterr().err
