"""Info blocks through ndctl read-infoblock and write-infoblock; what they print is held to real answers in test_transcripts_nd.py."""

from __future__ import annotations

import json

import pytest

from sparsemem.kernel.nvdimm import pfn
from sparsemem.kernel.nvdimm.info_block import checksum_valid
from sparsemem.machine.notation import parse_machine
from sparsemem.tools.files import Files
from sparsemem.tools.ndctl import main
from sparsemem.tools.ndctl_infoblock import pfn_infoblock
from sparsemem.tools.result import Console, ToolResult
from sparsemem.tools.tree import MachineTree

UUID, PARENT = "11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-666666666666"
BOARD = "6.12; 1M-512M ram; nd_region 0x100000000-0x107ffffff labels=1.1"
GIB, MIB = 1 << 30, 1 << 20


class Bench:
    """A machine with one labelled region, and files."""

    def __init__(self) -> None:
        self.machine = parse_machine(BOARD)
        self.tree = MachineTree(self.machine)
        self.files: dict[str, bytes] = {}

    def __call__(self, line: str, *, stdin: bytes = b"", version: int = 76, tty: bool = True) -> ToolResult:
        return main(self.tree, line.split(), Console(tty=tty), (version,), Files(self.files, stdin))


def block(size: int, **options: int | bool) -> pfn.NdPfnSb:
    """What write_pfn_sb() makes, decoded."""
    data = pfn_infoblock(
        size,
        pfn.PFN_SIG,
        start=int(options.get("start", 0)),
        align=int(options.get("align", 2 * MIB)),
        in_pmem=bool(options.get("in_pmem", True)),
        page_size=int(options.get("page_size", 4096)),
        uuids=(UUID, PARENT),
    )
    assert data is not None
    assert data[:4096] == bytes(4096)
    assert checksum_valid(data[4096:])
    return pfn.decode(data[4096:])


@pytest.mark.parametrize(
    ("size", "options", "dataoff", "npfns", "pads"),
    [  # recorded: tool_infoblock in tests/transcripts_nd
        (GIB, {}, 18 * MIB, 257536, (0, 0)),
        (16 * MIB, {}, 2 * MIB, 3584, (0, 0)),
        (GIB, {"in_pmem": False}, 2 * MIB, 261632, (0, 0)),
        (48 * MIB, {"align": 4096}, 2 * MIB, 11776, (0, 0)),
        (1001 * MIB, {"start": 65 * MIB, "align": 16 * MIB}, 31 * MIB, 241920, (15 * MIB, 10 * MIB)),
    ],
)
def test_layouts(size: int, options: dict[str, int], dataoff: int, npfns: int, pads: tuple[int, int]) -> None:
    sb = block(size, **options)
    assert (sb.dataoff, sb.npfns, (sb.start_pad, sb.end_trunc)) == (dataoff, npfns, pads)
    assert (sb.uuid, sb.parent_uuid, sb.version_major, sb.version_minor) == (UUID, PARENT, 1, 4)
    assert (sb.page_size, sb.page_struct_size, sb.mode) == (4096, 64, 2 if options.get("in_pmem", True) else 1)


def test_no_room() -> None:
    assert (
        pfn_infoblock(2 * MIB, pfn.PFN_SIG, start=0, align=2 * MIB, in_pmem=True, page_size=4096, uuids=("", ""))
        is None
    )


def test_what_is_written_is_read() -> None:
    bench = Bench()
    written = bench(f"write-infoblock -c -s 64M -m devdax -u {UUID} -p {PARENT}", tty=False)
    assert (written.stderr, written.exit_code, len(written.stdout_bytes)) == ("wrote 1 infoblock\n", 0, 8192)
    read = bench("read-infoblock -jV", stdin=written.stdout_bytes)
    found = json.loads(read.stdout)
    assert [each["signature"] for each in found] == ["NVDIMM_DAX_INFO"]
    assert (found[0]["file"], found[0]["uuid"], found[0]["parent_uuid"]) == ("<stdin>", UUID, PARENT)
    assert bench("read-infoblock", stdin=written.stdout_bytes, tty=False).stdout_bytes == written.stdout_bytes


def test_a_namespace_is_read_and_written_in_raw_mode() -> None:
    """The kernel's block, read back; then one of our own, and the namespace comes up in its mode."""
    bench = Bench()
    bench("create-namespace -m fsdax -s 32M")
    assert bench("read-infoblock namespace0.0").output == (
        "error reading infoblock data: Device or resource busy\nread 0 infoblocks\n"
    )
    bench("disable-namespace namespace0.0")
    found = json.loads(bench("read-infoblock -jV namespace0.0").stdout)
    assert [(each["dataoff"], each["npfns"], each["align"]) for each in found] == [(2 * MIB, 7680, 2 * MIB)]
    assert '"mode":"raw"' in bench("list -i -n namespace0.0").stdout
    for mode, shown in (("devdax", "raw"), ("fsdax", "fsdax")):  # it was created as fsdax: no other holder may claim it
        assert bench(f"write-infoblock -m {mode} -a 2M -u {UUID} namespace0.0").output == "wrote 1 infoblock\n"
        assert bench("enable-namespace namespace0.0").exit_code == 0
        listed = json.loads(bench("list -n namespace0.0").stdout)
        assert listed[0]["mode"] == shown
        bench("disable-namespace namespace0.0")
    assert (listed[0]["uuid"], listed[0]["size"]) == (UUID, 30 * MIB)


def test_every_flipped_bit() -> None:
    """With --verify a block with a flipped bit is not shown; without, whatever still carries the signature is; nothing crashes."""
    bench = Bench()
    good = bench(f"write-infoblock -c -s 64M -u {UUID}", tty=False).stdout_bytes
    for bit in [*range(4096 * 8, 4096 * 8 + 110 * 8), *range(8184 * 8, 8192 * 8)]:
        data = bytearray(good)
        data[bit // 8] ^= 1 << bit % 8
        shown = [bench(f"read-infoblock {how}", stdin=bytes(data)) for how in ("-jV", "-j")]
        assert [each.exit_code for each in shown] == [0, 0]
        verified, plain = (json.loads(each.stdout) for each in shown)
        assert verified == []
        assert len(plain) in (0, 1)
        if bit // 8 < 4096 + 16:  # the other signature is far away
            assert plain == []


def test_versions_of_four_characters_are_not_shown() -> None:
    bench = Bench()
    sb = pfn.decode(bench(f"write-infoblock -c -s 64M -u {UUID}", tty=False).stdout_bytes[4096:])
    data = bytes(4096) + pfn.encode(sb._replace(version_minor=10))
    shown = bench("read-infoblock -jv", stdin=data)
    assert "read-infoblock: failed to create json representation\n" in shown.stderr
    assert json.loads(shown.stdout) == []


def test_files() -> None:
    bench = Bench()
    bench.files["/tmp/image"] = b"x" * (16 * MIB)  # noqa: S108
    assert bench(f"write-infoblock -o /tmp/image -u {UUID}").output == "wrote 1 infoblock\n"
    image = bench.files["/tmp/image"]  # noqa: S108
    assert (len(image), image[8192:]) == (16 * MIB, b"x" * (16 * MIB - 8192))
    assert bench("read-infoblock -i /tmp/image -o /tmp/block").output == "read 1 infoblock\n"
    assert bench.files["/tmp/block"] == image[:8192]  # noqa: S108
    for line, words, code in (
        ("read-infoblock -i /nosuch", "error reading infoblock data: No such file or directory", 254),
        ("read-infoblock", "error reading infoblock data: Input/output error", 251),
        ("read-infoblock -o /nosuch/x namespace0.0", "failed to open: /nosuch/x: (No such file or directory)", 254),
        ("write-infoblock -o /nosuch/x", "  Error: failed to open: /nosuch/x\n\nerror checking infoblocks", 254),
        ("write-infoblock -o /tmp", "  Error: failed to open: /tmp\n\nerror checking infoblocks: Is a directory", 235),
        ("write-infoblock -o /dev/null", "  Error: unsupported file type: /dev/null\n", 234),
    ):
        result = bench(line)
        assert (result.stderr.startswith(words), result.exit_code) == (True, code), line


@pytest.mark.parametrize(
    ("line", "version", "words"),
    [
        ("write-infoblock -s 16M -a 0 namespace0.0", 81, "align must be a power-of-2"),
        ("write-infoblock -c -s 16M --offset=", 81, "wrote 1 infoblock"),
        ("read-infoblock -h", 67, "Unknown command: 'read-infoblock'"),
        ("read-infoblock -h", 68, "usage: ndctl read-infoblock"),
    ],
)
def test_by_release(line: str, version: int, words: str) -> None:
    assert words in Bench()(line, version=version).stderr


def test_the_warning_of_nothing_by_release() -> None:
    bench = Bench()
    for version, warned in ((72, False), (73, True)):
        shown = bench("read-infoblock -j", stdin=bytes(8192), version=version)
        assert (shown.stdout, "no matching devices found" in shown.stderr) == ("[\n]\n", warned)
