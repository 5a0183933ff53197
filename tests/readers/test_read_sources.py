"""A directory and a tarball are the same machine; hostile trees neither block, nor raise, nor lead out of the root."""

from __future__ import annotations

import dataclasses
import io
import lzma
import os
import tarfile
import threading

import pytest

from sparsemem import fixtures
from sparsemem.errors import InputError, SparsememError, UnreadableError
from sparsemem.readers import DirectorySource, MemorySource, open_source, read_machine, tarball
from sparsemem.readers.source import Entry

IOMEM = "00100000-bfffffff : System RAM\n"


def unpack(name, into):
    with tarfile.open(fixtures.path(name)) as archive:
        archive.extractall(into, filter="data")


def make_tar(*members, mode="w"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, kind, value in members:
            member = tarfile.TarInfo(name)
            if kind == "file":
                member.size = len(value)
                archive.addfile(member, io.BytesIO(value))
                continue
            member.type = kind
            member.linkname = value
            archive.addfile(member)
    return buffer.getvalue()


def same(one, other):
    return dataclasses.replace(one, source="") == dataclasses.replace(other, source="")


@pytest.mark.parametrize("name", ["pmem-guest", "pmem-two-regions", "laptop", "arm64-virt", "firecracker-vm"])
def test_a_directory_and_a_tarball_are_the_same_machine(name, tmp_path):
    unpack(name, tmp_path)
    assert same(read_machine(tmp_path), read_machine(fixtures.path(name)))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
@pytest.mark.parametrize("prefix", ["", "./", "host17/", "/"])
def test_tar_flavours(tmp_path, mode, prefix):
    path = tmp_path / "machine"
    path.write_bytes(make_tar((f"{prefix}proc/iomem", "file", IOMEM.encode()), mode=mode))
    machine = read_machine(path)
    assert machine.iomem.children[0].end == 0xBFFFFFFF
    assert machine.notes == ()


def test_links_stay_inside_the_root(tmp_path):
    (tmp_path / "proc").mkdir()
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_text(IOMEM)
    os.symlink(outside, tmp_path / "proc" / "iomem")
    (tmp_path / "real").write_text(IOMEM)
    source = DirectorySource(str(tmp_path))
    assert source.read_text("/proc/iomem") is None
    os.symlink("../../../../../../real", tmp_path / "proc" / "up")
    os.symlink("/real", tmp_path / "proc" / "absolute")
    assert source.read_text("/proc/up") == source.read_text("/proc/absolute") == IOMEM
    with pytest.raises(InputError):
        read_machine(tmp_path)


@pytest.mark.parametrize("build", ["fifo", "socket-less device", "loop", "chain", "directory"])
def test_what_is_no_file_is_noted_and_never_opened(tmp_path, build):
    proc = tmp_path / "proc"
    proc.mkdir()
    (tmp_path / "iomem.txt").write_text(IOMEM)
    target = proc / "zoneinfo"
    if build == "fifo":
        os.mkfifo(target)
    elif build == "socket-less device":
        os.symlink("../null", target)
        try:
            os.mknod(tmp_path / "null", 0o20666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("needs root")
    elif build == "loop":
        os.symlink("zoneinfo", target)
    elif build == "chain":
        for number in range(60):
            os.symlink(f"link{number + 1}", proc / f"link{number}")
        os.symlink("link0", target)
    else:
        target.mkdir()
    result = []
    worker = threading.Thread(target=lambda: result.append(read_machine(tmp_path)), daemon=True)
    worker.start()
    worker.join(10)
    assert result, "reading blocked"
    (note,) = result[0].notes
    assert note.source.endswith("proc/zoneinfo")
    assert "cannot be read" in note.what


def test_a_file_without_permission_stops_nothing(tmp_path):
    unpack("pmem-guest", tmp_path)
    source = DirectorySource(str(tmp_path))
    real = source._read

    def refuse(path, limit):
        if path.endswith("/resource") or path == "proc/zoneinfo":
            raise PermissionError(13, "Permission denied")
        return real(path, limit)

    source._read = refuse
    machine = read_machine(source)
    assert machine.zones == ()
    assert len(machine.namespaces) == 7
    notes = {note.what for note in machine.notes}
    assert "cannot be read: permission denied" in notes
    assert any(
        what.startswith("addresses of ") and "namespace0.0" in what and "region1" in what and "as root" in what
        for what in notes
    )


def test_hostile_members(tmp_path):
    path = tmp_path / "hostile.tar"
    path.write_bytes(
        make_tar(
            ("../../etc/passwd", "file", b"x"),
            ("proc/../../../x", "file", b"x"),
            ("proc/iomem", "file", IOMEM.encode()),
            ("proc/zoneinfo", tarfile.FIFOTYPE, ""),
            ("proc/cmdline", tarfile.CHRTYPE, ""),
            ("proc/version", tarfile.LNKTYPE, "nowhere"),
            ("proc/cpuinfo", tarfile.SYMTYPE, "/../../../proc/cpuinfo"),
            ("", "file", b""),
        )
    )
    before = set(os.listdir(tmp_path))
    machine = read_machine(path)
    assert set(os.listdir(tmp_path)) == before
    assert machine.iomem.children[0].name == "System RAM"
    whats = " ".join(f"{note.source} {note.what}" for note in machine.notes)
    for word in (
        "leaves the archive",
        "proc/zoneinfo cannot be read",
        "proc/cmdline cannot be read",
        "hard link to nothing",
    ):
        assert word in whats
    assert "too many links" in whats


def test_every_truncation_of_a_tarball_is_read_or_refused_with_a_place(tmp_path):
    data = make_tar(("proc/iomem", "file", IOMEM.encode()), ("proc/cmdline", "file", b"quiet\n"))
    path = tmp_path / "cut.tar"
    outcomes = []
    for size in range(0, len(data), 97):
        path.write_bytes(data[:size])
        try:
            outcomes.append(read_machine(path))
        except (InputError, UnreadableError) as error:
            outcomes.append(error)
    errors = [outcome for outcome in outcomes if isinstance(outcome, SparsememError)]
    assert all(error.where and error.remedy for error in errors)
    assert all(outcome.iomem is not None for outcome in outcomes if outcome not in errors)
    assert 0 < len(errors) < len(outcomes)


def test_a_truncated_compressed_tarball_gives_what_came_before_the_break(tmp_path):
    data = make_tar(("proc/iomem", "file", IOMEM.encode()), *((f"pad{n}", "file", os.urandom(4000)) for n in range(50)))
    packed = lzma.compress(data, preset=0)
    path = tmp_path / "cut.tar.xz"
    path.write_bytes(packed[: len(packed) // 2])
    machine = read_machine(path)
    assert machine.iomem.children[0].name == "System RAM"
    assert any("ends in the middle" in note.what for note in machine.notes)


def test_a_decompression_bomb_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(tarball, "MAX_UNPACKED", 1 << 20)
    data = make_tar(("proc/iomem", "file", IOMEM.encode()), ("zeros", "file", bytes(8 << 20)))
    path = tmp_path / "bomb.tar.xz"
    path.write_bytes(lzma.compress(data))
    machine = read_machine(path)
    assert machine.iomem is not None
    assert any("left out" in note.what for note in machine.notes)


def test_a_giant_file_is_cut_at_a_line_with_a_note():
    source = MemorySource("m", {"proc/iomem": Entry("file", IOMEM.encode() * 10)})
    text = source.read_text("/proc/iomem", limit=len(IOMEM) * 3 + 5)
    assert text == IOMEM * 3
    assert "only the first" in source.notes[0].what


def test_natural_order():
    names = ["memory10", "memory9", "memory1", "probe", "memory100"]
    source = MemorySource("m", {name: Entry("dir") for name in names})
    assert source.listdir("/", r"memory\d+") == ["memory1", "memory9", "memory10", "memory100"]


def test_open_source_wants_a_tree(tmp_path):
    (tmp_path / "iomem").write_text(IOMEM)
    with pytest.raises(InputError, match="neither a directory nor a tarball"):
        open_source(tmp_path / "iomem")
    with pytest.raises(UnreadableError, match="no such file"):
        open_source(tmp_path / "missing")
