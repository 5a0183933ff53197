"""The journal as a file: whole lines or none, one owner at a time, and nothing else taken for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sparsemem.errors import InputError, UnreadableError, UsageError
from sparsemem.planner import make_plan, parse_intent
from sparsemem.planner.apply import ApplyError, HostRunner, Journal, adopt, head_of
from sparsemem.planner.apply.journal import default_path
from sparsemem.planner.apply.view import differences, uuids_of, view_of
from tests.planner.machines import GIB, machine

if TYPE_CHECKING:
    from pathlib import Path


def _head() -> dict[str, Any]:
    return head_of(make_plan(machine("6.1", GIB), parse_intent("2 x fsdax 64M")), "model")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "plan.jsonl"
    with Journal.create(path, _head()) as journal:
        assert (journal.steps[0].changes["namespace0.0"] or {})["mode"] == "fsdax"
        assert [len(view) for view in journal.views] == [2, 3, 4]
        assert [journal.status(n) for n in (1, 2)] == ["", ""]
        journal.write("begin", step=1)
        assert journal.status(1) == "begun"
        journal.write("done", step=1, exit_code=0, output="", made={"namespace0.0": "u"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(path.parent) == ["plan.jsonl"]
    with Journal.open(path) as again:
        assert (again.status(1), again.status(2), again.made(1), again.made(2)) == (
            "done",
            "",
            {"namespace0.0": "u"},
            None,
        )
        assert [json.loads(line).get("event") for line in path.read_text().splitlines()] == [None, "begin", "done"]


def test_half_a_line_was_never_written(tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    Journal.create(path, _head()).close()
    whole = path.read_bytes()
    for cut in (b'{"event":"begin","step":1', b"{", b'{"event":"begin","step":1}'):
        path.write_bytes(whole + cut)
        with Journal.open(path) as journal:
            assert journal.events == []
        assert path.read_bytes() == whole


def test_an_existing_journal_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    path.write_text("mine")
    with pytest.raises(UsageError, match="there is a journal already"):
        Journal.create(path, _head())
    assert path.read_text() == "mine"
    assert os.listdir(tmp_path) == ["plan.jsonl"]


def test_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    with Journal.create(path, _head()) as journal:
        with pytest.raises(ApplyError, match="in use") as told:
            Journal.open(path)
        assert told.value.exit_code == 14
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(journal.descriptor,)
        )
    with pytest.raises(ApplyError, match="in use"):
        Journal.open(path)  # the command that was started outlives whoever started it
    child.communicate(b"\n")
    Journal.open(path).close()


@pytest.mark.parametrize(
    "text", ["", "x", "text\n", "[]\n", "{}\n", '{"journal":1}\n', '{"journal":1,"steps":[{}],"start":{}}\n', "\x00\n"]
)
def test_what_is_no_journal_stays_as_it_is(text: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(text + "tail")
    with pytest.raises(InputError, match="not a journal"):
        Journal.open(path)
    assert path.read_text() == text + "tail"


def test_bad_events_and_formats(tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    Journal.create(path, _head()).close()
    whole = path.read_text()
    path.write_text(whole + '{"event":"surprise"}\n')
    with pytest.raises(InputError, match=r"plan.jsonl:2: not a journal"):
        Journal.open(path)
    path.write_text(whole.replace('"journal":1', '"journal":9'))
    with pytest.raises(InputError, match="format 9") as told:
        Journal.open(path)
    assert told.value.remedy == "go on with the newer sparsemem that wrote it"
    for line in ('{"event":"begin","step":3}', '{"event":"begin","step":0}', '{"event":"begin","step":"1"}'):
        path.write_text(f"{whole}{line}\n")
        with pytest.raises(InputError, match=r"plan.jsonl:2: not a journal"):
            Journal.open(path)
    path.write_text(whole)
    with pytest.raises(UnreadableError, match="cannot open the journal"):
        Journal.open(tmp_path / "none")


def test_a_journal_that_others_can_write_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    with Journal.create(path, _head()) as journal:
        journal.check_ours()
        path.chmod(0o622)
        with pytest.raises(UnreadableError, match="not ours alone"):
            journal.check_ours()


def test_a_full_disk_leaves_whole_lines() -> None:
    head = {"journal": 1, "start": {}, "steps": []}
    descriptor = os.open("/dev/full", os.O_WRONLY)
    from pathlib import Path

    journal = Journal(Path("/dev/full"), descriptor, head, [])
    with pytest.raises(ApplyError, match="can not be written: No space left"):
        journal.write("begin", step=1)
    journal.close()


def test_where_journals_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert str(default_path()).startswith("/state/sparsemem/plan-2")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert str(default_path()).startswith("/home/me/.local/state/sparsemem/plan-2")


def test_this_host_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UnreadableError, match="need root"):
        HostRunner()


def test_views_leave_out_seeds_and_uuids() -> None:
    lists = {
        "ndctl": [{"dev": "region0", "size": 9, "namespaces": [
            {"dev": "namespace0.0", "mode": "raw", "size": 0, "uuid": "0"},
            {"dev": "namespace0.1", "mode": "fsdax", "size": 5, "uuid": "u", "numa_node": 1},
        ]}],
        "daxctl": [{"chardev": "dax0.0", "size": 0}, {"chardev": "dax0.1", "size": 3, "mode": "devdax"}],
        "auto_online_blocks": "online\n",
    }  # fmt: skip
    view = view_of(lists)
    assert view == {
        "region0": {"size": 9}, "namespace0.1": {"mode": "fsdax", "size": 5}, "dax0.1": {"size": 3, "mode": "devdax"},
        "auto_online_blocks": {"policy": "online"},
    }  # fmt: skip
    assert uuids_of(lists) == {"namespace0.1": "u"}
    assert view_of({"ndctl": None, "daxctl": None, "auto_online_blocks": None}) == {}
    assert differences({"dax0.1": {"size": 4}}, view, ["dax0.1", "namespace0.1"]) == [
        "dax0.1: size is 4, not 3; mode is missing, not devdax", "namespace0.1 is not there",
    ]  # fmt: skip


def test_what_the_model_does_not_know_is_taken_from_the_machine() -> None:
    head = {"start": {"namespace0.0": {"mode": "fsdax", "size": 5}}}
    shown = {"ndctl": [{"dev": "namespace0.0", "mode": "fsdax", "size": 6}]}
    assert adopt(head, shown) == ["namespace0.0: size is 6, not 5"]
    assert adopt(head, {"ndctl": None}) == ["namespace0.0 is not there"]
    assert head["start"]["namespace0.0"]["size"] == 5
    shown["ndctl"][0] |= {"size": 5, "align": 2}
    assert adopt(head, shown) == []
    assert head["start"] == {"namespace0.0": {"mode": "fsdax", "size": 5, "align": 2}}


def test_a_disk_that_fills_up_while_a_command_runs(tmp_path: Path) -> None:
    """The command was run and nothing says so: the machine does."""
    from sparsemem.planner.apply import Applier, ModelRunner

    plan = make_plan(machine("6.1", GIB), parse_intent("2 x fsdax 64M"))
    path, runner = tmp_path / "plan.jsonl", ModelRunner(plan.before.copy())
    Journal.create(path, head_of(plan, "model")).close()
    with Journal.open(path) as journal:
        write = journal.write

        def full(event: str, **fields: Any) -> None:
            if event == "done" and fields["step"] == 2:
                os.dup2(os.open("/dev/full", os.O_WRONLY), journal.descriptor)
            write(event, **fields)

        journal.write = full  # type: ignore[method-assign]
        with pytest.raises(ApplyError, match="No space left") as told:
            Applier(journal, runner).run()
        assert "they look at what the last command did" in str(told.value)
    with Journal.open(path) as journal:
        assert [journal.status(n) for n in (1, 2)] == ["done", "begun"]
        assert Applier(journal, runner).run().result == "done"
    assert runner.machine == plan.after
