"""The law: whatever is given, one clear error with place and remedy, or a machine with notes; never a traceback."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparsemem.errors import InputError, SparsememError, UnreadableError
from sparsemem.machine.description import MachineDescription
from sparsemem.readers import MemorySource, open_source, read_bytes, read_machine
from sparsemem.readers.source import Entry

HERE = Path(__file__).parent
CORPUS = sorted(path for path in (HERE / "corpus").iterdir())
SEEDS = [
    *(path.read_bytes() for path in sorted((HERE / "data").rglob("*")) if path.is_file()),
    lzma.decompress((HERE / "data" / "guest-7.2" / "tree.tar.xz").read_bytes()),
    b"Node 0, zone DMA\n spanned 1\n present 1\n managed 1\n start_pfn: 1\n",
]


def refused(error: SparsememError, name: str) -> SparsememError:
    """What every error must have."""
    assert error.where, error
    assert error.where.startswith(name), error
    assert error.remedy, error
    return error


def obeys(data: bytes) -> MachineDescription | SparsememError:
    try:
        machine = read_bytes(data, "the input")
    except (InputError, UnreadableError) as error:
        return refused(error, "the input")
    assert all(note.source.startswith("the input") for note in machine.notes)
    return machine


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_corpus(path):
    """The name of a corpus file says what must come of it: ``bad-*`` an error, ``odd-*`` a machine with notes."""
    result = obeys(path.read_bytes())
    if path.name.startswith("bad-"):
        assert isinstance(result, SparsememError)
    else:
        assert isinstance(result, MachineDescription)
        assert result.notes


@given(st.binary(max_size=2000))
def test_any_bytes(data):
    obeys(data)


@given(st.text(max_size=500))
def test_any_text(text):
    obeys(text.encode("utf-8", "surrogatepass"))


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=150, deadline=None)
@given(st.data())
def test_damaged_real_files(data):
    """Cut, doubled, overwritten: real inputs one step away from being right."""
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        how = data.draw(st.sampled_from(["cut", "overwrite", "insert", "drop", "repeat"]))
        if how == "cut":
            del content[at:]
        elif how == "overwrite":
            content[at : at + 8] = data.draw(st.binary(min_size=1, max_size=8))
        elif how == "insert":
            content[at:at] = data.draw(
                st.sampled_from([b"\n", b"\0", b"-", b"ffffffffffffffffff", b'"', b"{[", b"\xff\xfe", b"\t"])
            )
        elif how == "drop":
            del content[at : at + data.draw(st.integers(1, 200))]
        else:
            content[at:at] = content[max(0, at - 100) : at]
    obeys(bytes(content))


KEYS = """dev chardev size mode map align mappings devices namespaces regions memory range block path resource state
    node zones target_node daxregion uuid start end"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 1 << 70) | st.floats()
    | st.sampled_from(["14.00 MiB (14.68 MB)", "0x0", "x", "online"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(KEYS.split()),
        inner | st.sampled_from(["namespace0.0", "region0", "dax0.0", "0-3", "0x0-0xfffffff"]),
        max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip


@given(JSON)
def test_any_json_of_the_right_words(value):
    obeys(json.dumps(value).encode())


VALUE = st.binary(max_size=20) | st.sampled_from(
    [
        b"0x100000000",
        b"134217728",
        b"",
        b"-1",
        b"memory",
        b"dax",
        b"pfn0.0",
        b"../../x",
        b"online",
        b"1" * 40,
        b"\xff",
        b"[512] 4096",
    ]
)
ATTRIBUTES = {
    "sys/bus/nd/devices/{}/": "size resource mode holder align uuid nstype sector_size driver uevent",
    "sys/bus/dax/devices/dax0.0/": "size align target_node resource mapping0/start mapping0/end uevent",
    "sys/devices/system/memory/": "block_size_bytes auto_online_blocks memory0/state memory0/phys_index "
    "memory0/node1/x memory99999999999999999/state",
    "proc/": "iomem zoneinfo cmdline version cpuinfo config.gz sys/kernel/osrelease",
    "sys/firmware/memmap/0/": "start end type",
    "": "sparsemem-capture.json dmesg x.json",
}
PLACES = [base + name for base, names in ATTRIBUTES.items() for name in names.split()]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(["region0", "namespace0.0", "pfn0.0", "dax0.0", "btt0.0"])),
        st.tuples(st.sampled_from(["file", "file", "file", "link", "dir", "special"]), VALUE),
        max_size=15,
    )
)
def test_any_tree(files):
    entries = {place.format(dev): Entry(kind, value) for (place, dev), (kind, value) in files.items()}
    try:
        machine = read_machine(MemorySource("the tree", entries))
    except (InputError, UnreadableError) as error:
        refused(error, "the tree")
        return
    assert all(note.source.startswith("the tree") for note in machine.notes)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_packed_text(pack):
    machine = read_bytes(pack((HERE / "data" / "laptop-iomem.txt").read_bytes()), "x")
    assert len(machine.iomem.children) > 30


def test_utf16_from_a_windows_clipboard():
    machine = read_bytes((HERE / "data" / "laptop-iomem.txt").read_text().encode("utf-16"), "x")
    assert len(machine.iomem.children) > 30


def test_an_all_zero_iomem_says_what_to_do():
    text = "00000000-00000000 : Reserved\n  00000000-00000000 : System RAM\n"
    with pytest.raises(UnreadableError, match="sudo cat /proc/iomem") as caught:
        read_bytes(text.encode(), "iomem.txt")
    assert caught.value.where == "iomem.txt"
    with pytest.raises(UnreadableError, match="run as root"):
        read_machine(MemorySource("m", {"proc/iomem": Entry("file", text.encode())}))


def test_an_all_zero_iomem_is_a_note_where_other_files_tell_enough():
    entries = {
        "proc/iomem": Entry("file", b"00000000-00000000 : System RAM\n"),
        "sys/devices/system/memory/memory0/state": Entry("file", b"online\n"),
    }
    machine = read_machine(MemorySource("m", entries))
    assert machine.iomem is None
    assert [note.source for note in machine.notes] == ["m:proc/iomem"]
    assert "run as root" in machine.notes[0].what


@pytest.mark.parametrize(
    ("path", "kind", "word"),
    [
        ("{}/missing", UnreadableError, "no such file"),
        ("{}/file/below", UnreadableError, "not a directory"),
        ("{}/fifo", InputError, "neither a regular file"),
        ("{}/empty", InputError, "no description of memory"),
        ("/dev/null", InputError, "neither a regular file"),
        ("a\0b", UnreadableError, "null"),
    ],
)
def test_paths_that_are_no_machine(tmp_path, path, kind, word):
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").mkdir()
    with pytest.raises(kind, match=word):
        read_machine(path.format(tmp_path))


def test_standard_input_and_process_substitution():
    code = "import sys; from sparsemem.readers import read_machine; print(read_machine(sys.argv[1]).kernel_release)"
    log = HERE / "data" / "guest-6.1" / "boot.log"
    with log.open("rb") as stream:
        direct = subprocess.run(
            [sys.executable, "-c", code, "-"], stdin=stream, capture_output=True, text=True, check=True
        )
    shell = subprocess.run(
        ["/bin/bash", "-c", f'"$0" -c "$1" <(cat {log})', sys.executable, code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert direct.stdout == shell.stdout == "6.1.0-50-cloud-amd64\n"


def test_reading_imports_nothing_heavy():
    code = "import sys, sparsemem.readers, sparsemem.capture; print(HEAVY & set(sys.modules))"
    code = code.replace("HEAVY", "{'numpy', 'rich', 'msgspec', 'cyclopts'}")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_this_machine():
    """The machine the tests run on, whatever it is."""
    if not os.access("/proc/iomem", os.R_OK):
        pytest.skip("no /proc/iomem here")
    try:
        machine = read_machine()
    except UnreadableError as error:
        refused(error, "/proc")
        return
    assert machine.source == "this machine"
    assert machine.kernel_release == os.uname().release
    assert machine.page_size == os.sysconf("SC_PAGE_SIZE")
    if machine.iomem is not None:
        from sparsemem.kernel.iomem_text import format_iomem

        assert format_iomem(machine.iomem) == Path("/proc/iomem").read_text()
    if machine.blocks:
        names = [name for name in os.listdir("/sys/devices/system/memory") if name[6:].isdigit()]
        assert {f"memory{block.nr}" for block in machine.blocks} == set(names)
    source = open_source("/")
    assert source.read_text("/proc/cmdline") == Path("/proc/cmdline").read_text()
