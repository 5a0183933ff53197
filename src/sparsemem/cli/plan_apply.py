"""``sparsemem plan --apply``, ``--resume`` and ``--undo``: look, show, ask, run, say what became of it."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparsemem.cli.machine import echo_json, width
from sparsemem.cli.plan_here import dotted
from sparsemem.errors import InputError, UnreadableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sparsemem.planner import Plan
    from sparsemem.planner.apply import Journal, Outcome
    from sparsemem.planner.apply.runners import HostRunner, ModelRunner

__all__ = ["apply", "resume", "undo"]

_SETTLE = 3.0


def _ask(question: str, yes: bool) -> bool:
    """``--yes``, or the answer of whoever sits there. Raises UsageError where nobody does."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "nobody can be asked: standard input is no terminal",
            remedy="look at the plan first, then add --yes; nothing was run",
        )
    return click.confirm(question, err=True)


def _list(title: str, lines: list[str]) -> None:
    if lines:
        click.echo(title, err=True)
    for line in lines:
        click.echo(f"  {line}", err=True)


def _show_lost(names: Iterable[str], runner: HostRunner | ModelRunner, title: str) -> None:
    """What is destroyed, with what is on it. Raises ApplyError where somebody uses it."""
    from sparsemem.planner.apply import ApplyError
    from sparsemem.planner.apply.contents import contents, openers

    here = runner.name == "host"
    found = contents(names, runner.observe(), runner.ask, openers if here else lambda files: {})
    if title:
        _list(title, [str(each) for each in found])
    used = [f"{each.name}: {user}" for each in found for user in each.users]
    if used:
        raise ApplyError(
            f"what would be destroyed is in use; nothing was run: {'; '.join(used)}",
            remedy="unmount it, or end what uses it, then try again",
        )


def _carry_out(
    journal: Journal, runner: HostRunner | ModelRunner, as_json: bool, *, back: bool = False, repair: bool = False
) -> int:
    from sparsemem.cli.plan_progress import Bar, guarded
    from sparsemem.planner.apply import Applier, Outcome

    numbers = range(1, len(journal.steps) + 1)
    open_ones = [n for n in numbers if journal.status(n) not in ("", "kept")]
    bar = Bar(len(open_ones) if back else len(numbers), "back" if back else "step")
    with guarded() as guard:
        applier = Applier(
            journal,
            runner,
            tell=bar,
            stop=lambda: guard.seen,
            settle=0.0 if runner.name == "model" else _SETTLE,
            boot=_boot(runner),
        )
        try:
            outcome = applier.undo() if back else applier.run(repair=repair)
        except KeyboardInterrupt:
            number = next((each["step"] for each in reversed(journal.events) if each.get("step")), None)
            outcome = Outcome(
                result="interrupted", done=sum(journal.status(n) == "done" for n in numbers), total=len(journal.steps),
                journal=str(journal.path), step=number, argv=journal.steps[number - 1].argv if number else (), undoing=back,
            )  # fmt: skip
        finally:
            bar.close()
    return _report(outcome, as_json)


def _report(outcome: Outcome, as_json: bool) -> int:
    if as_json:
        echo_json(outcome.to_json())
    else:
        click.echo(outcome.text(width()), nl=False)
    return outcome.exit_status


def _kept(path: Path) -> Path:
    """Where a rehearsal keeps its machine."""
    return path.with_name(f"{path.name}.machine")


def _boot(runner: HostRunner | ModelRunner) -> str | None:
    from sparsemem.planner.apply.hosts import boot_id

    return boot_id() if runner.name == "host" else None


@contextlib.contextmanager
def _locked(runner: HostRunner | ModelRunner) -> Iterator[None]:
    """This host is ours alone; a rehearsal has a machine of its own. Raises ApplyError."""
    from sparsemem.planner.apply.hosts import alone

    if runner.name != "host":
        yield
        return
    with alone() as descriptor:
        runner.keep = tuple(each for each in (*runner.keep, descriptor) if each is not None)  # type: ignore[union-attr]
        yield


def apply(
    plan: Plan, show: Callable[[], None], *, rehearse: bool, yes: bool, journal_path: str | None, as_json: bool
) -> int:
    """Show a plan, ask, and carry it out; the exit code."""
    from sparsemem.planner.apply import HostRunner, Journal, ModelRunner, Outcome, adopt, head_of
    from sparsemem.planner.apply.hosts import machine_id
    from sparsemem.planner.apply.journal import default_path

    path = Path(journal_path) if journal_path is not None else default_path()
    if path.exists():
        raise UsageError(
            "there is a journal already", where=str(path), remedy="go on with --resume or --undo, or name another file"
        )
    runner: HostRunner | ModelRunner = ModelRunner(plan.before.copy(), plan.ndctl) if rehearse else HostRunner()
    show()
    if not plan.commands:
        return 0
    if isinstance(runner, HostRunner):
        runner.need(command.argv for command in plan.commands)
    where, count = "on the model" if rehearse else "on this machine", len(plan.commands)
    with _locked(runner):
        head = head_of(plan, runner.name, _boot(runner), None if rehearse else machine_id())
        for asked in (False, True):  # whoever is asked may take an hour
            found = adopt(head, runner.observe())
            if found:
                told = Outcome(result="changed", done=0, total=count, journal=str(path), found=tuple(found))
                return _report(told, as_json)
            _show_lost(
                (name for command in plan.commands for name in command.destroys), runner,
                "" if asked else "This is destroyed, and nothing brings it back:",
            )  # fmt: skip
            question = f"Run {'this command' if count == 1 else f'these {count} commands'} {where}?"
            if not asked and not _ask(question, yes):
                raise click.Abort
        with Journal.create(path, head) as journal:
            if isinstance(runner, HostRunner):
                runner.keep = (*runner.keep, journal.descriptor)
            else:
                runner.keep_at(_kept(path))
            return _carry_out(journal, runner, as_json)


@contextlib.contextmanager
def _opened(journal_path: str) -> Iterator[tuple[Journal, HostRunner | ModelRunner]]:
    """The journal and the machine that it is about: this host, or the model as the rehearsal left it."""
    from sparsemem.planner.apply import HostRunner, Journal
    from sparsemem.planner.apply.hosts import check_machine

    path = Path(journal_path)
    with Journal.open(path) as journal:
        kind = journal.head.get("runner")
        if not journal.steps:
            raise InputError("a journal without commands", where=journal_path)
        if kind == "host":
            runner = HostRunner((journal.descriptor,))
            journal.check_ours()
            check_machine(journal.head.get("machine"), journal_path)
            runner.need(step.argv for step in journal.steps)
            with _locked(runner):
                _notes(journal, runner)
                yield journal, runner
        elif kind == "model":
            yield journal, _rehearsed(journal, path)
        else:
            raise UsageError(f"a journal of {kind!r} can not be gone on with from here", where=journal_path)


def _rehearsed(journal: Journal, path: Path) -> ModelRunner:
    from sparsemem.machine.notation import parse_machine
    from sparsemem.planner.apply import ModelRunner
    from sparsemem.play.scenario import parse_ndctl_version

    try:
        text = _kept(path).read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise UnreadableError(
            "the machine of this rehearsal is gone", where=str(_kept(path)), remedy="rehearse it anew"
        ) from None
    return ModelRunner(parse_machine(text), parse_ndctl_version(str(journal.head.get("ndctl"))), _kept(path))


def _notes(journal: Journal, runner: HostRunner) -> None:
    from sparsemem.planner.apply.hosts import boot_id

    if journal.boot not in (None, boot_id()):
        click.echo(
            "note: this machine was booted since: memory and policy are as after a boot, and devices may have other names; they are"
            " found again by uuid and address",
            err=True,
        )
    planned, found = str(journal.head.get("ndctl")), runner.release()
    if found is not None and planned.split(".")[:1] != [str(found[0])]:
        click.echo(
            f"note: planned for ndctl {planned}, and {dotted(found)} is installed; each answer is checked", err=True
        )


def _moved(journal: Journal, before: Mapping[str, str]) -> None:
    moved = [f"{name} is {real} now" for name, real in journal.names.items() if before.get(name, name) != real]
    _list("Devices have other names than before:", moved)


def resume(journal_path: str, *, yes: bool, as_json: bool) -> int:
    """Go on with a journal: look, say, ask, run; the exit code."""
    from sparsemem.planner import shell_text
    from sparsemem.planner.apply import arrive, standing
    from sparsemem.planner.apply.names import Named, real_words

    with _opened(journal_path) as (journal, runner):
        before = journal.names
        if journal.going_back or arrive(journal, runner, _boot(runner)):
            return _carry_out(journal, runner, as_json)  # which says why nothing is run
        _moved(journal, before)
        at = standing(journal, Named(runner, journal).observe())
        repair = False
        if at.kind in ("ready", "took", "half"):
            total = len(journal.steps)
            words = {
                "ready": f"Command {at.step} of {total} is next.",
                "took": f"Command {at.step} was interrupted, and took effect.",
                "half": f"Command {at.step} was interrupted half-way. There is:",
            }[at.kind]
            click.echo(words, err=True)
            for each in at.found:
                click.echo(f"  {real_words(journal.names, each)}", err=True)
            back = journal.steps[at.step - 1].undo or () if at.kind == "half" else ()
            _list("It is taken back first:", [real_words(journal.names, shell_text(argv)) for argv in back])
            repair = bool(back)
            left = [
                step for n, step in enumerate(journal.steps, 1)
                if journal.status(n) != "done" and not (at.kind == "took" and n == at.step)
            ]  # fmt: skip
            _list("To be run:", [real_words(journal.names, shell_text(step.argv)) for step in left])
            gone = [journal.names.get(name, name) for step in left for name in step.destroys]
            _show_lost(gone, runner, "This is destroyed, and nothing brings it back:")
            if (left or repair) and (at.kind != "half" or repair) and not _ask("Go on?", yes):
                raise click.Abort
        return _carry_out(journal, runner, as_json, repair=repair)


def undo(journal_path: str, *, yes: bool, as_json: bool) -> int:
    """Go back by a journal: look, say what is destroyed and what can not come back, ask, run; the exit code."""
    from sparsemem.planner import shell_text
    from sparsemem.planner.apply import arrive
    from sparsemem.planner.apply.names import Named, real_words
    from sparsemem.planner.apply.undo import undo_preview

    with _opened(journal_path) as (journal, runner):
        before = journal.names
        if arrive(journal, runner, _boot(runner), back=True):
            return _carry_out(journal, runner, as_json, back=True)
        _moved(journal, before)
        commands, gone, lost = undo_preview(journal, Named(runner, journal).observe())
        _list("To be run:", [shell_text(argv) for argv in commands])
        _show_lost(gone, runner, "This plan made them, and what is on them now is destroyed:")
        _list("Nothing brings back:", [real_words(journal.names, each) for each in lost])
        if commands and not _ask("Go back?", yes):
            raise click.Abort
        return _carry_out(journal, runner, as_json, back=True)
