"""What ``plan --apply`` refuses before it runs anything, and what it says then."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sparsemem.cli.app import run
from sparsemem.machine.notation import parse_machine
from sparsemem.planner.apply import ApplyError, ModelRunner
from sparsemem.planner.apply.contents import contents, openers
from sparsemem.planner.apply.hosts import alone, boot_id, check_machine, machine_id
from tests.cli.host import BOARD, begin, needs_root, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@needs_root
def test_two_plans_at_once(host: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    """Each has a journal of its own; the machine is one."""
    for name in ("a", "b"):
        begin(tmp_path / name)
    first = host("--resume", str(tmp_path / "a"), "--yes")
    wait_for(tmp_path / "a", '"begin"')
    second = host("--resume", str(tmp_path / "b"), "--yes")
    _, err = second.communicate(timeout=60)
    assert second.returncode == 14, err
    assert "another plan is being carried out on this machine" in err
    assert "nothing was run" in err
    _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert '"begin"' not in (tmp_path / "b").read_text()


@needs_root
@pytest.mark.parametrize("way", ["--resume", "--undo"])
def test_a_journal_of_another_machine(host: Callable[..., subprocess.Popen[str]], way: str, tmp_path: Path) -> None:
    if machine_id() is None:
        pytest.skip("this machine has no id")
    begin(tmp_path / "a", machine="0" * 32)
    process = host(way, str(tmp_path / "a"), "--yes")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 15, err
    assert "this journal is another machine's; nothing was run" in err
    assert "Traceback" not in err
    assert len((tmp_path / "a").read_text().splitlines()) == 1


def test_machines_and_boots(monkeypatch: pytest.MonkeyPatch) -> None:
    check_machine(None, "x")
    check_machine(machine_id(), "x")
    boot = boot_id()
    assert boot is None or re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", boot)
    monkeypatch.setattr("sparsemem.planner.apply.hosts.machine_id", lambda: "a")
    with pytest.raises(ApplyError) as told:
        check_machine("b", "x")
    assert told.value.exit_code == 15


def test_the_lock_is_held_by_what_outlives_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARSEMEM_APPLY_LOCK", str(tmp_path / "lock"))
    with alone() as descriptor:
        assert descriptor is not None
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(descriptor,))
    with pytest.raises(ApplyError, match="another plan is being carried out"), alone():
        pass
    child.communicate(b"\n")
    with alone() as descriptor:
        assert descriptor is not None
    monkeypatch.setenv("SPARSEMEM_APPLY_LOCK", str(tmp_path / "none" / "lock"))
    with alone() as descriptor:
        assert descriptor is None


@needs_root
def test_another_release_of_ndctl(
    host: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tool = tmp_path / "bin" / "ndctl"
    tool.write_text(
        tool.read_text().replace(
            "import os, sys", "import os, sys\nif '--version' in sys.argv: print('71.1'); sys.exit()"
        )
    )
    begin(tmp_path / "a")
    process = host("--resume", str(tmp_path / "a"), "--yes")
    _, err = process.communicate(timeout=60)
    assert "note: planned for ndctl 76, and 71.1 is installed" in err
    assert process.returncode == 0, err
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert run(["plan", "fsdax 64M", "--apply", "--yes", "--ndctl-version", "76"]) == 2
    assert "--ndctl-version 76: 71.1 is installed here" in capsys.readouterr().err


@needs_root
def test_without_the_tool(
    host: Callable[..., subprocess.Popen[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path / "a")
    monkeypatch.setenv("PATH", str(tmp_path))
    for tool in ("ndctl", "daxctl"):
        (tmp_path / "bin" / tool).unlink()
    process = host("--resume", str(tmp_path / "a"), "--yes")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, out
    assert "ndctl is not installed" in err
    assert len((tmp_path / "a").read_text().splitlines()) == 1, "nothing was begun"


@needs_root
@pytest.mark.parametrize(("boot", "code"), [(None, 2), ("11111111-2222-3333-4444-555555555555", 15)])
def test_a_capture_is_not_always_this_machine(
    boot: str | None, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    known = {"arch": "x86_64", "page_size": 4096, "release": "5.10.0-9", "date": "2026-05-01", "boot": boot}
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "sparsemem-capture.json").write_text(json.dumps(known))
    assert run(["plan", str(tmp_path / "c"), "fsdax 64M", "--apply", "--yes"]) == code
    said = capsys.readouterr().err
    assert ("2026-05-01, kernel 5.10.0-9" in said) == (code == 15)
    assert ("is not this machine" in said) == (code == 2)
    assert not (tmp_path / "state").exists()


def test_a_capture_says_in_which_boot_it_was_made(tmp_path: Path) -> None:
    from sparsemem.capture import capture_machine
    from sparsemem.cli.plan_here import check_capture

    if boot_id() is None:
        pytest.skip("no boot_id here")
    capture_machine("/", tmp_path / "machine.tar")
    check_capture(str(tmp_path / "machine.tar"))


# -- what is on it, and who uses it


def _with(*commands: str) -> ModelRunner:
    runner = ModelRunner(parse_machine(BOARD))
    for command in commands:
        code, said = runner.run(tuple(command.split()))
        assert code == 0, said
    return runner


def test_contents_of_a_namespace() -> None:
    runner = _with(
        "ndctl create-namespace -r region0 -m fsdax -s 64M -n db", "ndctl create-namespace -r region0 -m devdax -s 64M"
    )
    told = {("blkid", "-p", "-o", "export", "/dev/pmem0"): "DEVNAME=/dev/pmem0\nTYPE=ext4\nLABEL=my\\ data\nUUID=1-2\n"}
    found = contents(
        ["namespace0.0", "namespace0.1", "namespace9.9"], runner.observe(), lambda argv: told.get(argv, "")
    )
    assert [str(each) for each in found] == [
        'namespace0.0: fsdax, 62 MiB (65011712), name "db", /dev/pmem0 with ext4 label my data uuid 1-2',
        "namespace0.1: devdax, 62 MiB (65011712)",
    ]
    assert [each.users for each in found] == [(), ()]
    (unknown,) = contents(["namespace0.0"], runner.observe(), runner.ask)
    assert unknown.what.endswith("/dev/pmem0 with content that can not be told (blkid says nothing)")


def test_users_of_a_namespace() -> None:
    runner = _with("ndctl create-namespace -r region0 -m fsdax -s 64M")
    told = {
        ("mount",): "/dev/pmem0p1 on /srv/my data type xfs (rw)\n/dev/pmem01 on /x type xfs (rw)\n",
        ("cat", "/proc/swaps"): "Filename Type Size\n/dev/pmem0 partition 1 0 -2\n",
    }

    def ask(argv: tuple[str, ...]) -> str:
        return "/sys/block/pmem0/holders/dm-3\n" if "holders" in argv[-1] else told.get(argv, "")

    (found,) = contents(["namespace0.0"], runner.observe(), ask)
    assert found.users == (
        "/dev/pmem0p1 is mounted on /srv/my data",
        "/dev/pmem0 is swap",
        "/dev/pmem0 is part of dm-3",
    )
    (opened,) = contents(["namespace0.0"], runner.observe(), lambda argv: "", lambda files: {"/dev/pmem0": ["db (7)"]})
    assert opened.users == ("/dev/pmem0 is open in db (7)",)


def test_who_has_a_file_open(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x" * 4096)
    with path.open() as file:
        found = openers([str(path), str(tmp_path / "other")])
        assert list(found) == [str(path)]
        assert any(f"({os.getpid()})" in who for who in found[str(path)])
        assert file.readable()
    assert openers([str(path)]) == {}


def test_what_is_mounted_is_refused_before_anything_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    from sparsemem.cli.plan_apply import _show_lost

    runner = _with("ndctl create-namespace -r region0 -m fsdax -s 64M")
    _show_lost(["namespace0.0"], runner, "This is destroyed:")
    assert capsys.readouterr().err.startswith(
        "This is destroyed:\n  namespace0.0: fsdax, 62 MiB (65011712), /dev/pmem0 with"
    )
    for command in ("mkfs.ext4 /dev/pmem0", "mkdir /mnt/db", "mount /dev/pmem0 /mnt/db"):
        assert runner.run(tuple(command.split()))[0] == 0
    with pytest.raises(
        ApplyError, match=r"is in use; nothing was run: namespace0\.0: /dev/pmem0 is mounted on /mnt/db"
    ) as told:
        _show_lost(["namespace0.0"], runner, "This is destroyed:")
    assert told.value.exit_code == 14
    code, said = runner.run(("ndctl", "destroy-namespace", "-f", "namespace0.0"))
    assert code, "ndctl would have refused it, too"
    assert "busy" in said
