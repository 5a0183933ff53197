"""What is said of the releases of ndctl behind the recordings: where 82 to 84 cannot be told, and what the binaries of 81 and 85 hold."""

from __future__ import annotations

import json

import pytest

from sparsemem.errors import NotModelledError
from sparsemem.play.shell import parse_step
from sparsemem.tools import daxctl
from sparsemem.tools.cxl import known_commands
from sparsemem.tools.ndctl_lines import line_of
from sparsemem.tools.releases import known, since_85, version_text
from tests.tools.nd_transcripts import board
from tests.tools.recorded_tree import RecordedTree

#: from the disassembled binaries of Debian's ndctl 81-1 and 85-1: what they print behind a function's name
IN_THE_BINARIES = {1030: 1037, 1292: 1299, 1528: 1535, 1023: 1030, 1176: 1183, 1402: 1409, 663: 663, 834: 834, 885: 892}


def test_versions() -> None:
    assert [version_text(each) for each in ((71,), (76,), (81,), (85,), (72, 1))] == [
        "71.1+",
        "76.1",
        "81",
        "85",
        "72.1",
    ]


@pytest.mark.parametrize("release", [81, 82, 85])
def test_lines_are_those_of_the_binaries(release: int) -> None:
    assert {line: line_of(line, release) for line in IN_THE_BINARIES} == IN_THE_BINARIES


def test_an_unknown_line_stays() -> None:
    assert (line_of(1, 71), line_of(1030, 76)) == (1, 1030)


def test_between_81_and_85() -> None:
    assert [since_85((each,)) for each in (60, 81, 82, 84, 85, 90)] == [False, False, None, None, True, True]
    with pytest.raises(NotModelledError, match="82 to 84"):
        known(None, "it is so")


def test_the_commands_of_cxl() -> None:
    new = {"inject-protocol-error", "inject-media-poison", "clear-media-poison"}
    assert set(known_commands((85,))) - set(known_commands((81,))) == new
    assert len(known_commands((76,))) == 19
    with pytest.raises(NotModelledError):
        known_commands((83,))


@pytest.mark.parametrize("release", [82, 84])
def test_reconfiguring_to_the_mode_that_it_has_is_not_told(release: int) -> None:
    _, player = board("kmem", "6.12", (release,))
    assert player.step("", parse_step("ndctl create-namespace -m devdax")).exit_code == 0
    assert player.step("", parse_step("daxctl reconfigure-device -m system-ram -N dax0.0")).exit_code == 0
    for mode in ("system-ram -N", "famfs"):
        with pytest.raises(NotModelledError, match="82 to 84"):
            player.step("", parse_step(f"daxctl reconfigure-device -m {mode} dax0.0"))


def test_famfs_needs_a_driver_that_is_not_modelled() -> None:
    _, player = board("kmem", "7.2", (85,))
    assert player.step("", parse_step("ndctl create-namespace -m devdax")).exit_code == 0
    with pytest.raises(NotModelledError, match="fsdev_dax"):
        player.step("", parse_step("daxctl reconfigure-device -m famfs dax0.0"))


@pytest.mark.parametrize(("release", "mode"), [(81, "devdax"), (85, "famfs")])
def test_a_device_of_fsdev_dax_in_a_captured_machine(release: int, mode: str) -> None:
    device = "/sys/devices/platform/ACPI0012:00/ndbus0/region0/dax0.0/dax0.0"
    tree = RecordedTree(
        f"F {device}/size=2097152\nL {device}/driver -> /sys/bus/dax/drivers/fsdev_dax\nD /sys/bus/dax/drivers/fsdev_dax"
    )
    (found,) = json.loads(daxctl.main(tree, ["list"], version=(release,)).stdout)
    assert (found["chardev"], found["mode"]) == ("dax0.0", mode)


@pytest.mark.parametrize(("release", "counts"), [(71, (None, None)), (72, (-2, -2)), (75, (-2, -2)), (76, (0, 3))])
def test_memory_on_kernels_with_memory_failure(release: int, counts: tuple[int | None, int | None]) -> None:
    """Linux 6.3 has nodeN/memory_failure, which daxctl before v76 takes for a block (9b81c4a): nothing about memory works."""
    _, player = board("kmem", "6.12", (release,))
    for step in ("ndctl create-namespace -m devdax", "daxctl reconfigure-device -m system-ram -N dax0.0"):
        assert player.step("", parse_step(step)).exit_code == 0
    listed = player.step("", parse_step("daxctl list")).stdout
    (found,) = json.loads(listed[listed.index("[") :])
    assert (found.get("online_memblocks"), found.get("total_memblocks")) == counts
    assert ("Unable to determine phys_index" in listed) is (release < 76)
    code = player.step("", parse_step("daxctl online-memory dax0.0")).exit_code
    assert code == (0 if release == 76 else 254)
    assert player.step("", parse_step("ndctl disable-namespace namespace0.0")).exit_code == (
        0 if release == 71 else 240
    )
