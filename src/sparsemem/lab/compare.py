"""Both sides next to each other: every difference, with what the kernel and what the model said, and the step it came with."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from sparsemem.kernel.refusal import errno_name
from sparsemem.lab.luck import NOTHING, Probed, probed_by, same_but_for_numbers, same_but_for_order
from sparsemem.lab.masks import Uuids, masked_log, masked_text
from sparsemem.lab.observe import Observation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.lab.guest import GuestAnswer
    from sparsemem.play.player import StepResult

__all__ = ["NUMBERS", "Difference", "compare_answers", "compare_observations", "errno_of"]

NUMBERS = "a region's namespaces are probed by workers of their own: which of their devices gets which number is the guest's luck"
_PARALLEL = "a region's namespaces are probed by workers of their own: whose lines come first is the guest's luck"
_ERRNOS = {os.strerror(number): errno_name(number) for number in range(1, 132)}


class Difference(NamedTuple):
    """``step`` counts from 1 (0: at boot); ``what`` is "exit code", "output", "log", "iomem", "sections" and so on.

    ``excuse``: why this one is no fault of the model; empty for a difference that counts.
    """

    step: int
    command: str
    what: str
    kernel: str
    model: str
    excuse: str = ""


def errno_of(text: str) -> str | None:
    """The errno that the last words of an output name, or None."""
    for line in reversed(text.splitlines()):
        words = line.rpartition(": ")[2].strip()
        if words in _ERRNOS:
            return _ERRNOS[words]
    return None


def compare_answers(
    step: int, guest: GuestAnswer, model: StepResult, uuids: tuple[Uuids, Uuids], boot: Probed = NOTHING
) -> Iterator[Difference]:
    """Exit code, words and kernel log of one step. ``boot``: the regions that the boot probed."""

    def differ(what: str, kernel: str, ours: str) -> Iterator[Difference]:
        if kernel != ours:
            yield Difference(step, model.command, what, kernel, ours)

    yield from differ("exit code", str(guest.exit_code), str(model.exit_code))
    errno = errno_of(guest.stdout)
    if errno is not None and model.errno is not None and errno_of(model.stdout) is not None:
        yield from differ("errno", errno, model.errno)
    outputs = (
        masked_text(uuids[side].mask(text), model.command) for side, text in ((0, guest.stdout), (1, model.stdout))
    )
    yield from differ("output", *outputs)
    kernel_log, our_log = (
        uuids[side].mask("\n".join(masked_log(lines))) for side, lines in ((0, guest.log), (1, model.log_lines))
    )
    for each in differ("log", kernel_log, our_log):
        luck = same_but_for_order(boot | probed_by(model.command), kernel_log.split("\n"), our_log.split("\n"))
        yield each._replace(excuse=_PARALLEL) if luck else each


def compare_observations(
    step: int, command: str, guest: Observation, model: Observation, uuids: tuple[Uuids, Uuids], boot: Probed = NOTHING
) -> Iterator[Difference]:
    """What both sides show after a step: only the lines that differ are kept. ``boot``: the regions that the boot probed."""
    numbered = [
        [uuids[side].mask(seen.ndctl), uuids[side].mask(seen.daxctl)] for side, seen in ((0, guest), (1, model))
    ]
    luck = numbered[0] != numbered[1] and same_but_for_numbers(boot | probed_by(command), *numbered)
    for name in Observation._fields:
        ours, theirs = _lines(getattr(model, name), uuids[1]), _lines(getattr(guest, name), uuids[0])
        if getattr(guest, name) is None or ours == theirs:
            continue
        kernel, mine = _only(theirs, ours)
        drawn = luck and name in ("ndctl", "daxctl")
        yield Difference(step, command, name.replace("_", " "), kernel, mine, NUMBERS if drawn else "")


def _lines(value: Any, uuids: Uuids) -> list[str]:
    if isinstance(value, str):
        return uuids.mask(value).splitlines()
    if isinstance(value, tuple):
        return [each if isinstance(each, str) else _row(each) for each in value]
    return [str(value)]


def _row(row: Any) -> str:
    words = []
    for name, value in zip(row._fields, row, strict=True):
        if name in ("subsection_map", "first", "last") and value is not None:
            value = f"{value:#x}"
        elif isinstance(value, tuple):
            value = "|".join(value)
        words.append(f"{name}={value}")
    return " ".join(words)


def _only(kernel: list[str], model: list[str]) -> tuple[str, str]:
    mine, theirs = [], []
    for line in difflib.ndiff(kernel, model):
        if line.startswith("- "):
            theirs.append(line[2:])
        elif line.startswith("+ "):
            mine.append(line[2:])
    return "\n".join(theirs), "\n".join(mine)
