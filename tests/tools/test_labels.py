"""The label commands as byte writes, on the model; what they print is held to real answers in test_transcripts_nd.py."""

from __future__ import annotations

import pytest

from sparsemem.errors import NotModelledError
from sparsemem.kernel.nvdimm.label_area import fresh
from sparsemem.machine.notation import parse_machine
from sparsemem.tools.files import Files
from sparsemem.tools.ndctl import main
from sparsemem.tools.result import Console, ToolResult
from sparsemem.tools.tree import MachineTree

BOARD = "6.12; 1M-512M ram; nd_region 0x100000000-0x107ffffff labels={labels} label_size={size}"


class Bench:
    """A machine with one DIMM, and files."""

    def __init__(self, labels: str = "1.2", size: str = "128K") -> None:
        self.machine = parse_machine(BOARD.format(labels=labels, size=size))
        self.tree = MachineTree(self.machine)
        self.files: dict[str, bytes] = {}

    def __call__(self, line: str, *, stdin: bytes = b"", version: int = 76, tty: bool = True) -> ToolResult:
        return main(self.tree, line.split(), Console(tty=tty), (version,), Files(self.files, stdin))

    def area(self) -> bytes:
        return self.tree.pread("/dev/nmem0", 0, self.tree.label_area_size("nmem0"))


def test_read_zero_and_write_back() -> None:
    """What was read can be written back: the same bytes, and the namespaces are there again."""
    bench = Bench()
    for name in ("one", "two"):
        assert bench(f"create-namespace -s 16M -n {name}").exit_code == 0
    listed = bench("list -N").stdout
    assert bench("read-labels nmem0 -o /tmp/l").output == "read 1 nmem\n"
    before = bench.area()
    assert bench.files["/tmp/l"] == before  # noqa: S108
    for line, says in (
        ("disable-region all", "disabled 1 region\n"),
        ("zero-labels nmem0", "zeroed 1 nmem\n"),
        ("check-labels nmem0", "successfully verified 0 nmem label\n"),
        ("write-labels nmem0 -i /tmp/l", "wrote 1 nmem\n"),
        ("check-labels nmem0", "successfully verified 1 nmem label\n"),
        ("enable-region all", "enabled 1 region\n"),
    ):
        assert bench(line).output == says
    assert bench.area() == before
    assert bench("list -N").stdout == listed


def test_binary_output_for_pipes() -> None:
    """Bytes of any kind pass through the text of a result."""
    bench = Bench()
    assert bench("read-labels nmem0", tty=False).stdout_bytes == bench.area()
    assert bench("read-labels nmem0 nmem0", tty=False).stdout_bytes == bench.area() * 2
    assert len(bench("read-labels -I nmem0", tty=False).stdout_bytes) == 512


@pytest.mark.parametrize(("words", "size"), [("1.1", 128), ("v1.1", 128), ("1.2", 256), ("v1.2", 256)])
def test_init_labels_writes_fresh_index_blocks(words: str, size: int) -> None:
    """As the kernel would, but for the bits behind the last slot: ndctl sets them to the end of the long."""
    bench = Bench("blank")
    bench("disable-region all")
    assert bench(f"init-labels -V {words} nmem0").output == "initialized 1 nmem\n"
    kernels = fresh(128 << 10, "1.1" if size == 128 else "1.2")
    index = int.from_bytes(kernels[32:40], "little")
    slots = int.from_bytes(kernels[56:60], "little")
    for at in (0, index):
        ours, theirs = bench.area()[at : at + index], kernels[at : at + index]
        assert ours[:64] == theirs[:64]
        assert ours[72 : 72 + slots // 8] == theirs[72 : 72 + slots // 8]
        assert int.from_bytes(ours[72:], "little") == (1 << -(-slots // 64) * 64) - 1
    assert bench(f"init-labels -V {words} nmem0").output == (
        "nmem0: error: labels already initialized\ninitialized 0 nmem\n"
    )
    assert bench("check-labels nmem0").exit_code == 0


def test_the_offset_that_is_not_one() -> None:
    """libndctl asks the kernel for [0, SIZE) whatever the offset: so real answers show (tool_labels in tests/transcripts_nd)."""
    bench = Bench()
    bench("disable-region all")
    area = bench.area()
    assert bench("read-labels -s 512 -O 256 nmem0", tty=False).stdout_bytes == area[256:512]
    assert bench("read-labels -s 256 -O 256 nmem0", tty=False).stdout_bytes == b""
    assert bench("read-labels -s 256 -O 512 nmem0")[1:3] == ("read 0 nmem\n", 1)
    assert bench("zero-labels -s 256 -O 512 nmem0").output == "zeroed 1 nmem\n"
    assert bench.area() == area
    bench("zero-labels -s 1024 -O 256 nmem0")
    assert bench.area() == area[:256] + bytes(768) + area[1024:]


def test_writes_go_through_the_tree_and_can_be_undone() -> None:
    bench = Bench()
    bench("disable-region all")
    mark, area = bench.machine.snapshot(), bench.area()
    steps = len(bench.machine.history)
    bench("write-labels nmem0", stdin=bytes(range(256)) * 64)
    assert bench.area() == bytes(range(256)) * 64 + area[16384:]
    for _ in range(len(bench.machine.history) - steps):
        bench.machine.undo()
    assert bench.area() == area
    assert bench.machine.snapshot() == mark


def test_an_area_that_is_too_small() -> None:
    bench = Bench("blank", "512")
    bench("disable-region all")
    said = "libndctl: sizeof_namespace_index: nmem0: label area (512) too small to host (128 byte) labels\n"
    assert bench("read-labels -j nmem0").output.startswith(said)
    assert bench("read-labels -j nmem0").exit_code == 1
    with pytest.raises(NotModelledError, match="512 bytes"):
        bench("init-labels nmem0")


def test_json_of_a_broken_area() -> None:
    """--json shows what is there at a first glance; nothing to show is taken for a lack of memory."""
    bench = Bench()
    bench("disable-region all")
    bench("write-labels nmem0", stdin=b"\xaa" * (128 << 10))
    assert bench("read-labels -j nmem0").output == "read 0 nmem\n"
    shown = bench("read-labels -jI nmem0")
    assert b'"signature":"' + b"\xaa" * 15 + b'"' in shown.stdout_bytes
    assert '"labelsize":131072' in shown.stdout
    assert '"seq":-1431655766' in shown.stdout
    bench("zero-labels nmem0")
    assert '"slot":0' in bench("read-labels -j nmem0").stdout


def test_an_active_dimm_is_left_alone() -> None:
    bench = Bench()
    area = bench.area()
    assert bench("init-labels -f nmem0").output == "nmem0: regions active, abort label write\ninitialized 0 nmem\n"
    assert bench("zero-labels nmem0").output == "nmem0: regions active, abort label write\nzeroed 0 nmem\n"
    assert bench("write-labels nmem0", stdin=b"x").output == "dimm is active, abort label write\nwrote 1 nmem\n"
    assert bench("disable-dimm nmem0").output == "nmem0 is active, skipping...\ndisabled 0 nmem\n"
    assert bench.area() == area


def test_a_dimm_without_labels() -> None:
    bench = Bench.__new__(Bench)
    bench.machine = parse_machine("6.12; 1M-512M ram; nd_region 0x100000000-0x107ffffff")
    bench.tree, bench.files = MachineTree(bench.machine), {}
    assert bench("read-labels nmem0")[1:3] == ("read 0 nmem\n", 1)
    assert bench("check-labels all")[1:3] == ("successfully verified 0 nmem label\n", 1)
    bench("disable-region all")
    assert bench("zero-labels nmem0")[1:3] == ("zeroed 0 nmem\n", 1)
    assert bench("init-labels -f nmem0")[1:3] == ("initialized 0 nmem\n", 1)


@pytest.mark.parametrize(
    ("version", "says"), [(65, "successfully verified 510 nmem labels\n"), (66, "successfully verified 1 nmem label\n")]
)
def test_check_labels_by_release(version: int, says: str) -> None:
    """Up to v65 the number of slots was taken for the number of DIMMs."""
    assert Bench()("check-labels nmem0", version=version).output == says


@pytest.mark.parametrize(
    ("line", "version", "words"),
    [
        ("read-labels -s 256 nmem0", 65, "unknown switch `s'"),
        ("read-labels -I nmem0", 65, "unknown switch `I'"),
        ("read-labels -u nmem0", 65, "unknown switch `u'"),
        ("zero-labels -O 1 nmem0", 65, "unknown switch `O'"),
    ],
)
def test_options_by_release(line: str, version: int, words: str) -> None:
    assert words in Bench()(line, version=version).stderr
    assert words not in Bench()(line, version=version + 1).stderr


def test_silence_before_v68() -> None:
    assert Bench()("zero-labels nmem0", version=67).output == "zeroed 0 nmem\n"


def test_one_dimm_on_a_terminal_since_v70() -> None:
    assert Bench()("read-labels -j nmem0", version=70).stdout.startswith("{")
    assert Bench()("read-labels -j nmem0", version=69).stdout.startswith("[")
    assert Bench()("read-labels -j nmem0", tty=False).stdout.startswith("[")
