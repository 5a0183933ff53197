"""``sparsemem plan --apply``, ``--resume`` and ``--undo``: show, ask, run, say what became of it."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparsemem.cli.machine import echo_json, width
from sparsemem.errors import InputError, UnreadableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparsemem.planner import Plan
    from sparsemem.planner.apply import Journal, Outcome, Runner
    from sparsemem.planner.apply.runners import HostRunner

__all__ = ["apply", "host_release", "resume", "undo"]

_SETTLE = 3.0
_BOOT = "/proc/sys/kernel/random/boot_id"


def _boot() -> str | None:
    try:
        return Path(_BOOT).read_text().strip()
    except OSError:
        return None


def host_release() -> tuple[int, ...] | None:
    """The release of ndctl that is installed here. Raises UnreadableError without root: what follows would need it."""
    from sparsemem.planner.apply import HostRunner

    return HostRunner().release()


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


class _Bar:
    """Where we are, on standard error: one line that is written over on a terminal, else a line a command."""

    def __init__(self, total: int, verb: str) -> None:
        self.total = total
        self.verb = verb
        self._tty = sys.stderr.isatty()
        self._bar: Any = None
        if self._tty:
            self._bar = click.progressbar(
                length=total,
                file=sys.stderr,
                item_show_func=lambda text: text,
                show_eta=False,
                width=20,
                bar_template="%(label)s[%(bar)s] %(info)s",
            )

    def __call__(self, number: int, argv: tuple[str, ...]) -> None:
        from sparsemem.planner import shell_text

        text = shell_text(argv) if argv else ""
        if self._bar is not None:
            room = max(width() - 50, 20)
            done = min(number - 1, self.total)
            self._bar.update(done - self._bar.pos, text if len(text) <= room else f"{text[: room - 3]}...")
            self._bar.render_progress()
        elif text:
            click.echo(f"{self.verb} {number}/{self.total}: {text}", err=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()


class _Signals:
    """The first signal lets the running command end; the second one does not."""

    def __init__(self) -> None:
        self.seen = False

    def __call__(self, number: int, frame: object) -> None:
        if self.seen:
            raise KeyboardInterrupt
        self.seen = True
        click.echo("\nsparsemem: stopping after this command (once more: now)", err=True)


@contextlib.contextmanager
def _guarded() -> Iterator[_Signals]:
    guard = _Signals()
    before = {number: signal.signal(number, guard) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield guard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _carry_out(journal: Journal, runner: Runner, as_json: bool, *, back: bool = False, repair: bool = False) -> int:
    from sparsemem.planner.apply import Applier, Outcome

    bar = _Bar(len(journal.steps), "back" if back else "step")
    with _guarded() as guard:
        applier = Applier(
            journal, runner, tell=bar, stop=lambda: guard.seen, settle=0.0 if runner.name == "model" else _SETTLE
        )
        try:
            outcome = applier.undo() if back else applier.run(repair=repair)
        except KeyboardInterrupt:
            number = next((each["step"] for each in reversed(journal.events) if each.get("step")), None)
            done = sum(journal.status(n) == "done" for n in range(1, len(journal.steps) + 1))
            outcome = Outcome(
                result="interrupted", done=done, total=len(journal.steps), journal=str(journal.path), step=number,
                argv=journal.steps[number - 1].argv if number else (), undoing=back,
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


def apply(
    plan: Plan, show: Callable[[], None], *, rehearse: bool, yes: bool, journal_path: str | None, as_json: bool
) -> int:
    """Show a plan, ask, and carry it out; the exit code."""
    from sparsemem.planner.apply import HostRunner, Journal, ModelRunner, Outcome, adopt, head_of
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
    where = "on the model" if rehearse else "on this machine"
    gone = [name for command in plan.commands for name in command.destroys]
    lost = f" What is on {', '.join(gone)} is destroyed and can not come back." if gone else ""
    count = len(plan.commands)
    if not _ask(f"Run {'this command' if count == 1 else f'these {count} commands'} {where}?{lost}", yes):
        raise click.Abort
    head = head_of(plan, runner.name, None if rehearse else _boot())
    found = adopt(head, runner.observe())
    if found:
        return _report(Outcome(result="changed", done=0, total=count, journal=str(path), found=tuple(found)), as_json)
    with Journal.create(path, head) as journal:
        if isinstance(runner, HostRunner):
            runner.keep = (journal.descriptor,)
        else:
            runner.keep_at(_kept(path))
        return _carry_out(journal, runner, as_json)


def _open(journal_path: str) -> tuple[Journal, Runner]:
    """The journal and the machine that it is about: this host, or the model as the rehearsal left it."""
    from sparsemem.planner.apply import HostRunner, Journal, ModelRunner

    path = Path(journal_path)
    journal = Journal.open(path)
    try:
        kind = journal.head.get("runner")
        if kind == "host":
            runner = HostRunner((journal.descriptor,))
            journal.check_ours()
            runner.need(step.argv for step in journal.steps)
            return journal, runner
        if kind != "model":
            raise UsageError(f"a journal of {kind!r} can not be gone on with from here", where=journal_path)
        from sparsemem.machine.notation import parse_machine
        from sparsemem.play.scenario import parse_ndctl_version

        try:
            text = _kept(path).read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise UnreadableError(
                "the machine of this rehearsal is gone", where=str(_kept(path)), remedy="rehearse it anew"
            ) from None
        return journal, ModelRunner(
            parse_machine(text), parse_ndctl_version(str(journal.head.get("ndctl"))), _kept(path)
        )
    except BaseException:
        journal.close()
        raise


def _list(title: str, lines: list[str]) -> None:
    if lines:
        click.echo(title, err=True)
    for line in lines:
        click.echo(f"  {line}", err=True)


def _note_boot(journal: Journal) -> None:
    if journal.head.get("runner") == "host" and journal.head.get("boot") not in (None, _boot()):
        click.echo(
            "note: this machine was booted since; names of namespaces may have changed, and memory and policy are as after a boot",
            err=True,
        )


def resume(journal_path: str, *, yes: bool, as_json: bool) -> int:
    """Go on with a journal: look, say, ask, run; the exit code."""
    from sparsemem.planner import shell_text
    from sparsemem.planner.apply import standing
    from sparsemem.planner.apply.names import Named, real_words

    journal, runner = _open(journal_path)
    with journal:
        _note_boot(journal)
        at = standing(journal, Named(runner, journal).observe())
        repair = False
        if at.kind in ("ready", "took", "half"):
            number = at.step + (at.kind == "took")
            words = {
                "ready": f"Command {at.step} of {len(journal.steps)} is next.",
                "took": f"Command {at.step} was interrupted, and took effect.",
                "half": f"Command {at.step} was interrupted half-way. There is:",
            }[at.kind]
            click.echo(words, err=True)
            for each in at.found:
                click.echo(f"  {real_words(journal.names, each)}", err=True)
            back = journal.steps[at.step - 1].undo or () if at.kind == "half" else ()
            _list("It is taken back first:", [real_words(journal.names, shell_text(argv)) for argv in back])
            repair = bool(back)
            left = journal.steps[number - 1 :]
            _list("To be run:", [real_words(journal.names, shell_text(step.argv)) for step in left])
            gone = [name for step in left for name in step.destroys]
            lost = f" What is on {', '.join(gone)} is destroyed." if gone else ""
            if (left or repair) and (at.kind != "half" or repair) and not _ask(f"Go on?{lost}", yes):
                raise click.Abort
        return _carry_out(journal, runner, as_json, repair=repair)


def undo(journal_path: str, *, yes: bool, as_json: bool) -> int:
    """Go back by a journal: look, say what is destroyed and what can not come back, ask, run; the exit code."""
    from sparsemem.planner import shell_text
    from sparsemem.planner.apply.names import Named, real_words
    from sparsemem.planner.apply.undo import undo_preview

    journal, runner = _open(journal_path)
    with journal:
        _note_boot(journal)
        if not journal.steps:
            raise InputError("a journal without commands", where=journal_path)
        commands, gone, lost = undo_preview(journal, Named(runner, journal).observe())
        _list("To be run:", [shell_text(argv) for argv in commands])
        _list("This plan made them, and what is on them now is destroyed:", gone)
        _list("Nothing brings back:", [real_words(journal.names, each) for each in lost])
        if commands and not _ask("Go back?", yes):
            raise click.Abort
        return _carry_out(journal, runner, as_json, back=True)
