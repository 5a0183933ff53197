"""mkfs, mount and umount of the model's block devices: who may, who has it, and what stays on the medium."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsemem.kernel.fs.superblock import BLOCK, Superblock, decode, encode
from sparsemem.machine.notation import format_machine, parse_machine
from sparsemem.play import parse_scenario
from sparsemem.play.player import Player, StepResult
from sparsemem.play.setup import set_up
from sparsemem.play.shell import parse_step

_FSDAX = "ndctl create-namespace -m fsdax -s 128M"
_MKFS = "mkfs.ext4 -q -b 4096 -F /dev/pmem0"
_MOUNT = "mount -o dax /dev/pmem0 /mnt"


def _player(kernel: str = "6.1", size: str = "256M") -> Player:
    text = f'[machine]\nmemory = "512M"\npmem = [{{ size = "{size}", labels = true }}]'
    return Player(*set_up(parse_scenario(text), kernel))


def _run(player: Player, *steps: str) -> StepResult:
    """Run the steps; all but the last succeed. The last one's result."""
    results = [player.step(step, parse_step(step)) for step in steps]
    for result in results[:-1]:
        assert result.exit_code == 0, (result.command, result.stdout)
    return results[-1]


@pytest.mark.parametrize("kernel", ["5.3", "5.10", "5.15", "6.1", "6.6", "6.12", "7.2"])
@pytest.mark.parametrize(
    ("namespace", "disk", "fine"),
    [
        ("-m fsdax", "pmem0", True),
        ("-m fsdax -M mem", "pmem0", True),
        ("-m fsdax -a 4K", "pmem0", True),
        ("-m raw", "pmem0", False),
        ("-m sector", "pmem0s", False),
    ],
)
def test_which_modes_can_do_dax(kernel: str, namespace: str, disk: str, fine: bool) -> None:
    player = _player(kernel)
    result = _run(
        player,
        f"ndctl create-namespace {namespace}",
        f"mkfs.ext4 -q -b 4096 /dev/{disk}",
        f"mount -t ext4 -o dax /dev/{disk} /mnt",
    )
    assert result.exit_code == (0 if fine else 255)
    assert result.errno == (None if fine else "EINVAL")
    if not fine:
        assert f"EXT4-fs ({disk}): DAX unsupported by block device." in result.log_lines
        assert _run(player, f"mount -t ext4 /dev/{disk} /mnt").exit_code == 0


def test_a_legacy_raw_namespace_has_pages() -> None:
    text = '[machine]\nmemory = "512M"\ncmdline = "memmap=64M!256M"'
    player = Player(*set_up(parse_scenario(text), "6.1"))
    assert _run(player, _MKFS, _MOUNT).exit_code == 0


@pytest.mark.parametrize(("kernel", "shown"), [("5.4", "dax"), ("5.10", "dax=always"), ("6.12", "dax=always")])
def test_the_mount_table(kernel: str, shown: str) -> None:
    player = _player(kernel)
    assert (
        _run(player, _FSDAX, _MKFS, _MOUNT, "mount").stdout == f"/dev/pmem0 on /mnt type ext4 (rw,relatime,{shown})\n"
    )
    assert _run(player, "grep pmem /proc/mounts").stdout == f"/dev/pmem0 /mnt ext4 rw,relatime,{shown} 0 0\n"


def test_what_is_mounted_is_busy() -> None:
    player = _player()
    _run(player, _FSDAX, _MKFS, _MOUNT)
    again = _run(player, _MOUNT)
    assert (again.exit_code, again.errno) == (255, "EBUSY")
    assert again.stdout == "mount: mounting /dev/pmem0 on /mnt failed: Device or resource busy\n"
    made = _run(player, _MKFS)
    assert (made.exit_code, made.stdout) == (1, "/dev/pmem0 is mounted; will not make a filesystem here!\n")
    assert _run(player, "mkfs.xfs -f /dev/pmem0").stdout.startswith(
        "mkfs.xfs: /dev/pmem0 contains a mounted filesystem\n"
    )
    assert _run(player, "ndctl disable-namespace namespace0.0").errno == "EBUSY"
    assert _run(player, "mount -t xfs /dev/pmem0 /tmp").errno == "EBUSY"
    _run(
        player,
        "mkdir /mnt2",
        "mount -o dax /dev/pmem0 /mnt2",
        "umount /mnt2",
        "umount /mnt",
        "ndctl disable-namespace namespace0.0",
    )
    assert _run(player, "umount /mnt").stdout == "umount: can't unmount /mnt: Invalid argument\n"


def test_two_mounts_are_one_holder() -> None:
    player = _player()
    _run(
        player,
        _FSDAX,
        _MKFS,
        _MOUNT,
        "mkdir /b; mount /dev/pmem0 /b; echo x > /mnt/f; cat /b/f",
        "umount /mnt; cat /b/f",
    )
    assert _run(player, "ndctl disable-namespace namespace0.0").errno == "EBUSY"
    assert _run(player, "umount /dev/pmem0", "ndctl disable-namespace namespace0.0").exit_code == 0


def test_a_device_without_a_file_system() -> None:
    result = _run(_player(), _FSDAX, _MOUNT)
    assert (result.exit_code, result.errno) == (255, "EINVAL")
    assert result.stdout == "mount: mounting /dev/pmem0 on /mnt failed: Invalid argument\n"
    assert result.log == ()


def test_a_file_system_is_bytes_on_the_medium() -> None:
    """It outlives the namespace where the next one puts its data at the same place, and no other."""
    player = _player()
    _run(
        player,
        _FSDAX,
        _MKFS,
        "ndctl disable-namespace namespace0.0",
        "ndctl enable-namespace namespace0.0",
        _MOUNT,
        "umount /mnt",
    )
    _run(player, "ndctl destroy-namespace -f namespace0.0", _FSDAX, _MOUNT, "umount /mnt")
    _run(player, "ndctl destroy-namespace -f namespace0.0", _FSDAX + " -M mem")
    assert _run(player, _MOUNT).errno == "EINVAL"
    _run(player, "ndctl destroy-namespace -f namespace0.0", _FSDAX, "dd if=/dev/zero of=/dev/pmem0 bs=4k count=1")
    assert _run(player, _MOUNT).errno == "EINVAL"


def test_files_live_in_their_file_system() -> None:
    player = _player()
    _run(player, _FSDAX, _MKFS, "echo below > /mnt/f", _MOUNT, "echo above > /mnt/f")
    assert _run(player, "cat /mnt/f; ls /mnt").stdout == "above\nf\nlost+found\n"
    assert _run(player, "umount /mnt", "cat /mnt/f").stdout == "below\n"
    assert _run(player, _MOUNT, "cat /mnt/f").stdout == "above\n"
    assert _run(player, "umount /mnt", _MKFS, _MOUNT, "ls /mnt").stdout == "lost+found\n"


@pytest.mark.parametrize(("kernel", "fine"), [("5.10", False), ("5.15", False), ("6.1", True), ("7.2", True)])
def test_xfs_with_reflink_and_dax(kernel: str, fine: bool) -> None:
    player = _player(kernel, "1G")
    result = _run(
        player, "ndctl create-namespace -s 512M", "mkfs.xfs -q /dev/pmem0", "mount -t xfs -o dax /dev/pmem0 /mnt"
    )
    assert result.exit_code == (0 if fine else 255)
    assert ("XFS (pmem0): DAX and reflink cannot be used together!" in result.log_lines) is not fine
    assert _run(player, "mkfs.xfs -q -f -m reflink=0 /dev/pmem0; mount -t xfs -o dax /dev/pmem0 /tmp").exit_code == 0


def test_mkfs_says_what_it_does() -> None:
    player = _player()
    out = _run(player, _FSDAX, "mkfs.ext4 -b 4096 /dev/pmem0").stdout
    assert out.startswith("mke2fs 1.47.0 (5-Feb-2023)\nCreating filesystem with 31744 4k blocks and 31744 inodes\n\n")
    assert "Creating journal (1024 blocks): done\n" in out
    assert _run(player, "mkfs.xfs /dev/pmem0").stdout == (
        "mkfs.xfs: /dev/pmem0 appears to contain an existing filesystem (ext4).\nmkfs.xfs: Use the -f option to force overwrite.\n"
    )
    assert _run(player, "mkfs.xfs -f /dev/pmem0").stdout.startswith(
        "Filesystem must be larger than 300MB.\nUsage: mkfs.xfs\n"
    )
    assert (
        _run(player, "mkfs.ext4 -q /dev/pmem7").stdout
        == "The file /dev/pmem7 does not exist and no size was specified.\n"
    )


def test_mounting_is_undone_and_written_down() -> None:
    player = _player()
    before, mark = player.machine.snapshot(), player.mark()
    _run(player, _FSDAX, _MKFS, _MOUNT)
    assert parse_machine(format_machine(player.machine)) == player.machine
    player.back(mark)
    assert player.machine.snapshot() == before


_BLOCKS = st.integers(64, 1 << 40)
_SUPERBLOCKS = st.builds(
    Superblock, type=st.just("ext4"), blocksize=st.sampled_from((1024, 2048, 4096)), blocks=_BLOCKS, uuid=st.uuids().map(str),
    label=st.text("abc-1", max_size=16), journal=st.booleans(),
    reflink=st.just(False), bigtime=st.just(False), sunit=st.just(0), swidth=st.just(0), sectsize=st.just(512),
    stride=st.integers(0, 65535),
) | st.builds(
    Superblock, type=st.just("xfs"), blocksize=st.just(4096), blocks=_BLOCKS, uuid=st.uuids().map(str), label=st.text("abc-1", max_size=12),
    journal=st.just(False), reflink=st.booleans(), bigtime=st.booleans(), sunit=st.integers(0, 512), swidth=st.integers(0, 512),
    sectsize=st.sampled_from((512, 4096)), stride=st.just(0),
)  # fmt: skip


@given(_SUPERBLOCKS)
def test_a_superblock_is_read_as_it_was_written(sb: Superblock) -> None:
    assert decode(encode(sb)) == sb


@given(st.binary(max_size=BLOCK + 1))
def test_any_bytes_are_a_superblock_or_none(page: bytes) -> None:
    decode(page.ljust(BLOCK, b"\0"))
    decode(page)
