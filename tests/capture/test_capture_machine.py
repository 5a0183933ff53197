"""capture: what the readers read, the same bytes for the same machine, written whole or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time

import pytest

from sparsemem import capture, fixtures
from sparsemem.capture import capture_machine, capture_source, write
from sparsemem.errors import SparsememError, UnreadableError, UsageError
from sparsemem.readers import DirectorySource, MemorySource, open_source, read_machine
from sparsemem.readers.source import Entry


def same(one, other):
    return dataclasses.replace(one, source="") == dataclasses.replace(other, source="")


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz"])
@pytest.mark.parametrize("name", fixtures.names())
def test_round_trip(name, suffix, tmp_path):
    out = tmp_path / f"machine{suffix}"
    taken = capture_machine(fixtures.path(name), out, date="2026-11-24")
    assert taken.size == out.stat().st_size
    assert same(read_machine(out), read_machine(fixtures.path(name)))
    assert same(taken.machine, read_machine(out))


def test_a_capture_of_a_capture_is_the_same_but_for_its_date(tmp_path):
    first = capture_source(open_source(fixtures.path("pmem-guest")), date="one")
    capture_machine(fixtures.path("pmem-guest"), tmp_path / "a.tar", date="one")
    second = capture_source(open_source(tmp_path / "a.tar"), date="one")
    assert first.entries == second.entries


def test_the_same_machine_gives_the_same_bytes(tmp_path):
    digests = set()
    for number in range(2):
        out = tmp_path / f"{number}.tar.gz"
        capture_machine(fixtures.path("pmem-guest"), out, date="2026-11-24")
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
        if number == 0:
            time.sleep(1.1)  # another second, so that a time stamp would show
    assert len(digests) == 1


def test_the_archive_is_sorted_and_owned_by_nobody_in_particular():
    data = capture_source(open_source(fixtures.path("pmem-guest")), date=None).tar()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
    names = [member.name for member in members]
    assert names == sorted(names)
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, 0, "", "")}
    links = {member.name: member.linkname for member in members if member.issym()}
    assert links["sys/bus/nd/devices/region0"].startswith("../../../devices/")
    assert links["sys/devices/system/memory/memory0/node0"] == "../../node/node0"


def test_metadata_says_what_it_is_and_what_it_lacks(tmp_path):
    source = open_source(fixtures.path("pmem-guest"))

    def refuse(path, limit, real=source._read):
        if path.endswith(("/resource", "iomem")):
            raise PermissionError(13, "Permission denied")
        return real(path, limit)

    source._read = refuse
    taken = capture_source(source, date="2026-11-24")
    values = json.loads(taken.entries["sparsemem-capture.json"].data)
    assert values["format"] == 1
    assert values["tool"].startswith("sparsemem ")
    assert values["date"] == "2026-11-24"
    files = {item["file"]: item["what"] for item in values["unreadable"]}
    assert files["proc/iomem"] == "cannot be read: permission denied"
    assert "region0" in files["sys/bus/nd/devices"]
    (tmp_path / "x.tar").write_bytes(taken.tar())
    notes = read_machine(tmp_path / "x.tar").notes
    assert any(note.source.endswith("proc/iomem") and note.what.startswith("when captured: ") for note in notes)


def test_an_iomem_of_zeros_is_captured_with_a_warning(tmp_path):
    entries = {"proc/iomem": Entry("file", b"00000000-00000000 : System RAM\n")}
    taken = capture_source(MemorySource("m", entries))
    assert taken.entries["proc/iomem"] == entries["proc/iomem"]
    assert taken.machine is None
    out = tmp_path / "zero.tar"
    out.write_bytes(taken.tar())
    with pytest.raises(UnreadableError, match="root"):
        read_machine(out)
    entries["sys/devices/system/memory/memory0/state"] = Entry("file", b"online\n")
    taken = capture_source(MemorySource("m", entries))
    assert any("run as root" in note.what for note in taken.notes)
    assert "every address" in taken.entries["sparsemem-capture.json"].data.decode()


def test_nothing_to_capture(tmp_path):
    (tmp_path / "root").mkdir()
    with pytest.raises(UnreadableError, match="no machine to capture"):
        capture_machine(tmp_path / "root", tmp_path / "out.tar")
    assert sorted(os.listdir(tmp_path)) == ["root"]


def test_only_what_the_readers_read_is_in_it(tmp_path):
    with tarfile.open(fixtures.path("pmem-guest")) as archive:
        archive.extractall(tmp_path / "root", filter="data")
    (tmp_path / "root" / "etc").mkdir()
    (tmp_path / "root" / "etc" / "shadow").write_text("secret")
    (tmp_path / "root" / "proc" / "kallsyms").write_text("secret")
    taken = capture_machine(tmp_path / "root", tmp_path / "out.tar")
    assert b"secret" not in (tmp_path / "out.tar").read_bytes()
    assert taken.files > 100


def test_redacted():
    entries = {
        "proc/iomem": Entry("file", b"00100000-bfffffff : System RAM\n"),
        "proc/cmdline": Entry(
            "file", b"root=UUID=1 memmap=4G!8G luks.key=x movable_node memhp_default_state=online quiet numa=off\n"
        ),
        "proc/version": Entry("file", b"Linux version 6.1.0 (jane@laptop) (gcc 12) #1 SMP\n"),
        "sys/bus/nd/devices/namespace0.0/size": Entry("file", b"4096\n"),
        "sys/bus/nd/devices/namespace0.0/uuid": Entry("file", b"d53381b5-58f6-4804-a2d4-9bd8c6523de4\n"),
        "sys/bus/nd/devices/namespace0.0/alt_name": Entry("file", b"payroll\n"),
    }
    taken = capture_source(MemorySource("m", entries), redact=True)
    data = taken.tar()
    for secret in (b"UUID=1", b"luks", b"jane", b"payroll", b"d53381b5"):
        assert secret not in data
    assert taken.entries["proc/cmdline"].data == b"memmap=4G!8G movable_node memhp_default_state=online numa=off\n"
    assert json.loads(taken.entries["sparsemem-capture.json"].data)["redacted"] is True


@pytest.mark.parametrize(
    ("out", "word"),
    [
        ("machine.zip", "not the name of a tarball"),
        ("nowhere/x.tar", "no such directory"),
        ("there.tar", "it exists already"),
    ],
)
def test_wrong_names_are_refused_before_anything_is_read(tmp_path, out, word):
    (tmp_path / "there.tar").write_text("precious")
    with pytest.raises(UsageError, match=word):
        capture_machine("/nonexistent", tmp_path / out)
    assert (tmp_path / "there.tar").read_text() == "precious"
    assert os.listdir(tmp_path) == ["there.tar"]


def test_overwriting_on_request(tmp_path):
    out = tmp_path / "x.tar"
    out.write_text("old")
    capture_machine(fixtures.path("mixed-region"), out, overwrite=True)
    assert same(read_machine(out), read_machine(fixtures.path("mixed-region")))
    assert os.listdir(tmp_path) == ["x.tar"]


@pytest.mark.parametrize("unnamed", [True, False])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch, unnamed, error):
    def fail(fd, data):
        os.write(fd, b"half")
        raise error

    monkeypatch.setattr(write, "_write_all", fail)
    if not unnamed:
        monkeypatch.delattr(os, "O_TMPFILE")
    with pytest.raises((SparsememError, KeyboardInterrupt)):
        capture.write_new(str(tmp_path / "x.tar"), b"whole")
    assert os.listdir(tmp_path) == []


def test_both_ways_of_writing_write(tmp_path, monkeypatch):
    capture.write_new(str(tmp_path / "a"), b"data")
    monkeypatch.delattr(os, "O_TMPFILE")
    capture.write_new(str(tmp_path / "b"), b"data")
    assert {(path.name, path.read_bytes(), path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {
        ("a", b"data", 0o644),
        ("b", b"data", 0o644),
    }


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_leaves_nothing(tmp_path, number):
    """The process stops itself between the first and the last byte, and is then killed."""
    if not hasattr(os, "O_TMPFILE"):
        pytest.skip("no O_TMPFILE here")
    code = """
import os, sys, time
from sparsemem.capture import write
def slow(fd, data):
    os.write(fd, data[:1]); print("writing", flush=True); time.sleep(60)
write._write_all = slow
write.write_new(sys.argv[1], b"data")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "x.tar")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(number)
    process.wait(30)
    process.stdout.close()
    assert os.listdir(tmp_path) == []


def test_this_machine(tmp_path):
    if not os.access("/proc/iomem", os.R_OK):
        pytest.skip("no /proc/iomem here")
    out = tmp_path / "machine.tar.xz"
    taken = capture_machine("/", out, date="2026-11-24")
    assert same(read_machine(out), taken.machine) or taken.machine is None
    assert out.stat().st_size < 100_000
    values = json.loads(taken.entries["sparsemem-capture.json"].data)
    assert values["uname"]["release"] == os.uname().release
    assert values["page_size"] == os.sysconf("SC_PAGE_SIZE")
    assert os.uname().nodename not in json.dumps(values).replace(os.uname().release, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become someone else")
def test_this_machine_as_a_user_without_rights(tmp_path):
    """A child that gives up root: the capture succeeds and names what it could not see."""
    code = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
from sparsemem.capture import capture_source
from sparsemem.readers import open_source
capture_source(open_source("/"))  # so that nothing is left to import afterwards
os.setgroups([]); os.setgid(65534); os.setuid(65534)
taken = capture_source(open_source("/"))
print([note.what for note in taken.notes])
os.write(fd, taken.tar())
"""
    out = tmp_path / "user.tar"
    done = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True, check=True)
    assert "run as root" in done.stdout
    machine = read_machine(out)
    assert machine.iomem is None
    assert machine.blocks == read_machine("/").blocks
    assert any("when captured" in note.what for note in machine.notes)


def test_sources_of_both_kinds_give_the_same_capture(tmp_path):
    with tarfile.open(fixtures.path("pmem-two-regions")) as archive:
        archive.extractall(tmp_path, filter="data")
    one = capture_source(DirectorySource(str(tmp_path)), date="x")
    two = capture_source(open_source(fixtures.path("pmem-two-regions")), date="x")
    assert one.entries == two.entries
