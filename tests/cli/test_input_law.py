"""The law of bad input, through the command line: one error of at most two lines, its documented exit code, nothing written.

The inputs are what a fuzzer of every reader found, and what it should have found; the mutations go on looking.
"""

from __future__ import annotations

import contextlib
import io
import os
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.cli.app import run

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTED = {0, 1, 2, 3, 4, 5, 6, 10, 11}

LINES = {
    # too large to hold: said so, at once and in little memory
    "6.1 x86_64 levels=5; 0-4P ram": 6,
    "6.1 ppc64; 0-2P ram": 6,
    "6.1 ppc64; 0-1G ram; memremap_pages 0x10000000000-0x3ffffffffffff": 6,
    "5.4 x86_64 levels=5; 0-1G ram; arch_add_memory 0x10000000000-0x7fffffffffffffff": 6,
    "6.1; 0-1G ram; remove_memory 0x140000000-0x7fffffffffffffff": 6,
    "5.1; 0-1G ram; memremap_pages 0x10000000000-0x7ffffffffffffff": 6,
    "6.1; 0-1G ram; with node=1:0-1fffffff possible_nodes=100000000000000": 3,
    # malformed
    "6.1; 0-1EiB ram": 3,
    "6.1; 100000EiB-1fffffff System RAM": 3,
    "6.1; 0-1G ram, 1G+5zz ram": 3,
    "6.1; 0-1G ram, 512M-2G pmem": 3,
    "6.1; 1G-0 ram": 3,
    "6.1; 0-1G ram; with top=zz": 3,
    "6.1; 0-1G ram; with node=1": 3,
    "6.1; 0-1G ram; with movable_node=maybe": 3,
    "6.1; 0-1G ram; memremap_pages 5": 3,
    "6.1; 0-1G ram; memremap_pages 0x100000000-0x1ffffffff vmemmap_shift=-9999": 3,
    "6.1; 0-1G ram; memremap_pages 0x100000000-0x1ffffffff nid=-1": 3,
    "6.1; 0-1G ram; memremap_pages 0x100000000-0x1ffffffff altmap=2:-5": 3,
    "6.1; 0-1G ram; defragment 5": 3,
    "6.1; {" + "{" * 100: 3,
    "6.99; 0-1G ram": 2,
    "3.2; 0-1G ram": 2,
    "6.1 vax; 0-1G ram": 2,
    "no such file\n\x1b[31m; or line": 4,
}


def _run(*argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(argv))
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("verb", ["doctor", "draw"])
@pytest.mark.parametrize(("line", "code"), LINES.items())
def test_a_bad_line(verb: str, line: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer, out, err = _run(verb, line)
    assert answer == code, err
    assert not out
    assert 1 <= len(err.splitlines()) <= 2
    assert err.startswith("sparsemem: error: ")
    assert err.replace("\n", "").isprintable()
    assert not os.listdir(tmp_path)


def test_a_range_up_to_the_end_of_all_addresses_costs_nothing(tmp_path: Path) -> None:
    """An iomem that calls nearly everything RAM took 23 GB once: the blocks of it were counted one by one."""
    file = tmp_path / "iomem"
    text = "00000000-3fffffff : System RAM\n3fffff000000-7ffffffffffffffe : System RAM\n"
    file.write_text(text)
    tracemalloc.start()
    code, _, err = _run("doctor", str(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert code in DOCUMENTED, err
    assert peak < 100 << 20


def test_an_error_that_quotes_a_long_input_is_short() -> None:
    code, _, err = _run("doctor", "x" * 3000 + "/" + "y" * 3000)
    assert code == 4
    assert len(err) < 700


def test_zstd_is_named(tmp_path: Path) -> None:
    file = tmp_path / "machine.tar.zst"
    file.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(range(200)))
    code, _, err = _run("doctor", str(file))
    assert code == 3
    assert "zstd -dc" in err


SEEDS = (
    "6.1 x86_64; 1000-9fbff System RAM, 100000-1fffffff System RAM, 20000000-23ffffff Persistent Memory; with block=128M; "
    "memremap_pages 0x20000000-0x23ffffff",
    "5.1-rc1; 1M-8G ram, 8G+4032M pmem, 0x2fc000000-0x43fffffff ram; memremap_pages 0x200000000-0x2fbffffff",
    "7.2 arm64 page=65536; 40000000-7fffffff ram, 80000000-80000fff Reserved {80000000-800007ff X}; "
    "with node=1:40000000-5fffffff possible_nodes=4; add_memory 0x140000000-0x15fffffff nid=1; offline memory3",
)
_PIECES = st.sampled_from(["", "0x", "-", "+", ";", ",", "{", "}", "=", "#", "%", " ", "P", "E", "iB", "f" * 17, "9" * 30, "-1",
                           "0", "\x00", "\ud800", "٣", "memory", "nid=", "fail=0"])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_mutated_line_is_answered_or_refused(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(_PIECES) + text[at + data.draw(st.integers(0, 6)) :]
    text = text.replace("\x00", "") or ";"
    code, _, err = _run("doctor", "--", text)
    assert code in DOCUMENTED, (text, err)
    if code in (2, 3, 4, 6):
        assert len(err.splitlines()) <= 3, (text, err)
