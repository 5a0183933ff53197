"""``plan --apply``, ``--resume`` and ``--undo`` from the command line; this host with an ndctl that is the model; real signals."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from sparsemem.cli.app import app, run
from sparsemem.cli.machine import Loaded
from sparsemem.machine.notation import parse_machine
from sparsemem.planner import make_plan, parse_intent
from tests.cli.host import BOARD, begin, needs_root, wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

INTENT = "fsdax 64M name=db, system-ram 256M"


def _plan(*words: str) -> Result:
    return CliRunner().invoke(app, ["plan", *words], standalone_mode=False)


def _rehearse(path: Path, *words: str) -> Result:
    return _plan(BOARD, INTENT, "--apply", "--rehearse", "--yes", "--journal", str(path), *words)


def test_a_rehearsal_and_back(tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    done = _rehearse(path, "--no-picture")
    assert (done.return_value, done.exception) == (0, None)
    assert "Plan for Linux 6.1" in done.stdout
    assert "Done: 3 of 3 commands, and the machine is as planned." in done.stdout
    assert "step 3/3: daxctl reconfigure-device -m system-ram dax0.1" in done.stderr
    made = make_plan(parse_machine(BOARD), parse_intent(INTENT)).after
    assert parse_machine((tmp_path / "plan.jsonl.machine").read_text()) == made
    back = _plan("--undo", str(path), "--yes")
    assert back.return_value == 0
    assert "Taken back: 3 of 3 commands." in back.stdout
    assert "what is on them now is destroyed" in back.stderr
    again = _plan("--undo", str(path), "--yes")
    assert again.return_value == 0


def test_json(tmp_path: Path) -> None:
    done = _rehearse(tmp_path / "plan.jsonl", "--json")
    told = json.loads(done.stdout)
    assert (told["result"], told["done"], told["total"]) == ("done", 3, 3)
    assert told["next"] == [
        {"why": "take it back", "argv": ["sparsemem", "plan", "--undo", str(tmp_path / "plan.jsonl")]}
    ]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((BOARD, INTENT, "--apply"), 2),
        (("--sysroot", "docs", INTENT, "--apply"), 2),
        ((INTENT, "--apply", "--kernel", "6.1"), 2),
        ((BOARD, INTENT, "--apply", "--rehearse", "--script"), 2),
        ((BOARD, INTENT, "--apply", "--rehearse"), 2),
        ((BOARD, INTENT, "--rehearse"), 2),
        ((BOARD, INTENT, "--yes"), 2),
        (("--resume", "none.jsonl"), 4),
        (("--undo", "none.jsonl"), 4),
        (("--undo", "README.md"), 3),
        (("--undo", "a", "--resume", "b"), 2),
        (("--resume", "a", INTENT), 2),
        ((BOARD, "fsdax 9G", "--apply", "--rehearse", "--yes"), 13),
    ],
)
def test_what_does_not_go_together(
    words: tuple[str, ...],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with open(os.devnull) as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert run(["plan", *words]) == code
    said = capsys.readouterr()
    if code != 13:
        assert said.err.startswith("sparsemem: error:")
        assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


def test_without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run(["plan", INTENT, "--apply", "--yes"]) == 4
    assert "need root" in capsys.readouterr().err


def test_the_answer_is_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("sparsemem.cli.plan_apply._ask", lambda question, yes: False)
    assert run(["plan", BOARD, INTENT, "--apply", "--rehearse"]) == 130
    assert list(tmp_path.iterdir()) == []


# -- this host: real processes, and an ndctl that is the model


@needs_root
def test_the_process_is_killed_and_gone_on_with(host: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    begin(path)
    first = host("--resume", str(path), "--yes")
    wait_for(path, '"begin"')
    first.kill()
    first.wait()
    answers = []
    for _ in range(200):
        second = host("--resume", str(path), "--yes")
        out, err = second.communicate(timeout=60)
        answers.append(second.returncode)
        if second.returncode != 14:
            break
        assert "the journal is in use" in err, "the command that was killed with us still runs"
        time.sleep(0.1)
    assert answers[-1] == 0, err
    assert "Done: 2 of 2" in out
    assert path.read_text().count('"begin"') == 2 + ("was interrupted, and took effect" not in err)
    planned = make_plan(parse_machine(BOARD), parse_intent("2 x fsdax 64M")).after
    assert parse_machine((tmp_path / "machine").read_text()) == planned
    back = host("--undo", str(path), "--yes")
    assert "Taken back: 2 of 2" in back.communicate(timeout=60)[0]


@needs_root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_command_end(
    host: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "plan.jsonl"
    begin(path)
    process = host("--resume", str(path), "--yes")
    wait_for(path, '"begin"')
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 14, err
    assert "Interrupted between two commands: 1 of 2 commands done." in out
    assert f"sparsemem plan --resume {path}" in out
    assert path.read_text().count('"done"') == 1
    assert '"stop"' in path.read_text()


@needs_root
def test_from_intent_to_machine(
    host: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The whole way on this host, which is read as the board that its tools work on; then as another one."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("MACHINE", str(tmp_path / "machine"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("sparsemem.cli.plan.load", lambda *_, **__: Loaded(parse_machine(BOARD)))
    words = ["plan", "fsdax 64M, sector 64M", "--apply", "--yes", "--no-picture", "--ndctl-version", "76"]
    assert run(words) == 0
    assert "Done: 2 of 2 commands" in capsys.readouterr().out
    made = make_plan(parse_machine(BOARD), parse_intent("fsdax 64M, sector 64M")).after
    assert parse_machine((tmp_path / "machine").read_text()) == made
    assert len(list((tmp_path / "state" / "sparsemem").glob("plan-*.jsonl"))) == 1
    assert run(words) == 15, "what was read is no longer what is there"
    said = capsys.readouterr().out
    assert "Nothing was run: the machine is not as it was when this was planned." in said
    assert "! namespace0.0 is there: mode fsdax" in said
    assert parse_machine((tmp_path / "machine").read_text()) == made
    assert len(list((tmp_path / "state" / "sparsemem").glob("plan-*.jsonl"))) == 1


@needs_root
def test_nobody_to_ask(host: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    begin(path)
    before = (tmp_path / "machine").read_text()
    for way in ("--resume", "--undo"):
        process = host(way, str(path))
        _, err = process.communicate(timeout=60)
        assert process.returncode == (2 if way == "--resume" else 0), err
    assert (tmp_path / "machine").read_text() == before
