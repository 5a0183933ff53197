"""The iomem reader against real texts (the kernel's own print is the second source) and against damaged ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsemem.kernel.iomem_text import format_iomem
from sparsemem.readers.iomem import MAX_DEPTH, looks_like_iomem, parse_iomem

HERE = Path(__file__).parent
TRANSCRIPTS = sorted((HERE.parent / "transcripts").glob("*.json"))
LAPTOP = (HERE / "data" / "laptop-iomem.txt").read_text()


def lines_of(root):
    return [(depth, node.start, node.end, node.name) for depth, node in root.walk()]


def test_a_laptops_text_comes_back_byte_for_byte():
    parsed = parse_iomem(LAPTOP)
    assert parsed.notes == ()
    assert parsed.lines == len(LAPTOP.splitlines())
    assert format_iomem(parsed.root) == LAPTOP


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_every_line_of_a_real_kernel_is_in_the_tree(path):
    """The recorded texts leave out PCI lines, so some lines are indented below nothing; none may be lost for that."""
    data = json.loads(path.read_text())
    text = data.get("iomem_full") or data.get("iomem")
    if not text:
        pytest.skip("the transcript records no iomem")
    parsed = parse_iomem(text)
    assert all("moved up" in note.what for note in parsed.notes)
    wanted = sorted(re.findall(r"(?m)^ *([0-9a-f]+-[0-9a-f]+ : .*)$", text))
    got = sorted(line.strip() for line in format_iomem(parsed.root).splitlines())
    assert got == wanted


def test_below_the_kernels_deepest_indent_ranges_decide():
    levels = 8
    text = "".join(
        f"{'  ' * min(level, 5)}{level:08x}-{0xFFFF - level:08x} : level {level}\n" for level in range(levels)
    )
    parsed = parse_iomem(text)
    assert parsed.notes == ()
    assert [depth for depth, *_ in lines_of(parsed.root)] == list(range(levels))
    assert format_iomem(parsed.root) == text


def test_all_zero_is_hidden_and_not_a_machine_of_one_byte():
    text = re.sub(r"[0-9a-f]+-[0-9a-f]+ :", "00000000-00000000 :", LAPTOP)
    parsed = parse_iomem(text)
    assert parsed.hidden
    assert parsed.root is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("  ", "\t"),
        lambda text: "".join(f"> {line}\n" for line in text.splitlines()),
        lambda text: "".join(f"    {line}\n" for line in text.splitlines()),
        lambda text: re.sub(r"([0-9a-f]+)-([0-9a-f]+) :", r"0x\1-0x\2 :", text),
        lambda text: "\n\n" + text.replace("\n", "\n\n"),
        lambda text: text.upper().replace("KERNEL", "Kernel"),
    ],
    ids=["crlf", "tabs", "quoted mail", "shifted", "0x", "blank lines", "upper case"],
)
def test_what_pasting_does_to_a_text_changes_no_range(change):
    """Ranges, nesting and the number of lines survive; only the upper-case one changes names."""
    parsed = parse_iomem(change(LAPTOP).replace("\r\n", "\n"))
    assert parsed.notes == ()
    assert [line[:3] for line in lines_of(parsed.root)] == [line[:3] for line in lines_of(parse_iomem(LAPTOP).root)]


def test_unsorted_lines_are_sorted_with_a_note():
    top = "100000000-1ffffffff : System RAM\n00100000-bfffffff : System RAM\n"
    parsed = parse_iomem(top, "f")
    assert [line[1] for line in lines_of(parsed.root)] == [0x100000, 0x100000000]
    assert [(note.source, note.where) for note in parsed.notes] == [("f", "line 2")]


def test_an_overlap_keeps_every_byte_and_says_which_line():
    parsed = parse_iomem("100000000-1ffffffff : System RAM\n1fc000000-2fbffffff : Persistent Memory\n")
    assert lines_of(parsed.root) == [
        (0, 0x100000000, 0x1FFFFFFFF, "System RAM"),
        (1, 0x1FC000000, 0x1FFFFFFFF, "Persistent Memory"),
        (0, 0x200000000, 0x2FBFFFFFF, "Persistent Memory"),
    ]
    (note,) = parsed.notes
    assert note.where == "line 2"
    assert "overlaps line 1" in note.what


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("hello", "not a resource line"),
        ("2000-1000 : backwards", "ends before it starts"),
        ("11111111111111111-11111111111111112 : 17 digits", "not a resource line"),
        ("1000-2000 System RAM", "not a resource line"),
        ("\x00\x01\x02", "not a resource line"),
    ],
)
def test_a_malformed_line_is_noted_and_the_others_are_read(line, word):
    parsed = parse_iomem(f"00100000-001fffff : System RAM\n{line}\n00300000-003fffff : System RAM\n", "the file")
    assert [part[1] for part in lines_of(parsed.root)] == [0x100000, 0x300000]
    (note,) = parsed.notes
    assert (note.source, note.where) == ("the file", "line 2")
    assert word in note.what


def test_depth_is_bounded_and_the_loss_is_noted():
    parsed = parse_iomem("".join(f"{' ' * level}0-{1000 - level:x} : x{level}\n" for level in range(200)))
    assert max(depth for depth, *_ in lines_of(parsed.root)) == MAX_DEPTH
    assert any("nested too deep" in note.what for note in parsed.notes)


_LINE = st.tuples(
    st.integers(0, 8), st.integers(0, 200), st.integers(0, 80), st.sampled_from(["System RAM", "a", "b : c", ""])
)


@given(st.lists(_LINE, max_size=40))
def test_any_lines_make_a_sorted_disjoint_nested_tree_that_covers_them(lines):
    """The invariant everything downstream builds on, for any indentation and any overlap."""
    text = "".join(f"{' ' * indent}{start:x}-{start + size:x} : {name}\n" for indent, start, size, name in lines)
    parsed = parse_iomem(text)
    covered = {byte for _, start, size, _ in lines for byte in range(start, start + size + 1)}
    if parsed.root is None:
        assert parsed.hidden or not lines
        return
    assert {byte for node in parsed.root.children for byte in range(node.start, node.end + 1)} == covered
    stack = [parsed.root]
    while stack:
        node = stack.pop()
        ends = node.start - 1
        for child in node.children:
            assert ends < child.start <= child.end <= node.end
            ends = child.end
            stack.append(child)


@given(st.text(max_size=400))
def test_no_text_raises(text):
    parse_iomem(text)
    looks_like_iomem(text)
