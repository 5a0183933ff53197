"""The report of ``verify``: a table of agreement, then every difference with both sides; as text, JSON or JUnit XML."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as Xml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sparsemem.lab.bench import Bench
    from sparsemem.lab.compare import Difference
    from sparsemem.lab.verify import Verdict

__all__ = ["difference_lines", "exit_code", "junit", "text_lines", "to_json"]

_WIDTH = 80
_MOST = 12
"""Lines of each side of a difference that the text shows; the JSON has them all."""
_UNPRINTABLE = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "?")


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """12 where something differs, else 8 where a guest was lost, else 6 where the model could not tell, else 0."""
    found = {each.outcome for each in verdicts}
    for outcome, code in (("different", 12), ("lost", 8), ("not modelled", 6)):
        if outcome in found:
            return code
    return 0


def _names(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """Scenario -> what the table calls it: the file name, or the whole path where two are called the same."""
    paths = list(dict.fromkeys(each.scenario for each in verdicts))
    short = {path: os.path.basename(path).removesuffix(".toml") for path in paths}
    return {path: name if list(short.values()).count(name) == 1 else path for path, name in short.items()}


def _cell(verdict: Verdict | None) -> str:
    if verdict is None:
        return "-"
    if verdict.outcome == "different":
        return f"{len(verdict.counted)} different"
    return f"{verdict.outcome} {verdict.steps}" if verdict.outcome == "same" else verdict.outcome


def text_lines(verdicts: Sequence[Verdict], benches: Sequence[Bench], *, show_qemu: bool = False) -> Iterator[str]:
    """The report at 80 columns."""
    names = _names(verdicts)
    kernels = list(dict.fromkeys(each.kernel for each in verdicts))
    wide = max(13, *(len(each) + 2 for each in kernels)) if kernels else 13
    first = min(max([8, *(len(name) for name in names.values())]), max(20, _WIDTH - wide * len(kernels)) - 2)
    by = {(each.scenario, each.kernel): each for each in verdicts}
    yield ("scenario".ljust(first + 2) + "".join(kernel.ljust(wide) for kernel in kernels)).rstrip()
    for path, name in names.items():
        shown = name if len(name) <= first else "..." + name[3 - first :]
        cells = "".join(_cell(by.get((path, kernel))).ljust(wide) for kernel in kernels)
        yield (shown.ljust(first + 2) + cells).rstrip()
    for each in verdicts:
        if each.outcome != "same" or each.differences or show_qemu:
            yield from _details(names[each.scenario], each, show_qemu)
    yield ""
    yield from _summary(verdicts, benches)


def _details(name: str, verdict: Verdict, show_qemu: bool) -> Iterator[str]:
    yield ""
    yield from _wrapped(f"{name} on {verdict.kernel}: {verdict.outcome}", "")
    if show_qemu:
        from sparsemem.lab.qemu import shown

        yield from _wrapped(shown(verdict.qemu), "  qemu: ")
    if verdict.words:
        yield from _wrapped(verdict.words, "  ")
    if verdict.outcome == "lost":
        for line in verdict.console.splitlines()[-8:]:
            yield f"  | {line}"[:_WIDTH]
    last = None
    for each in verdict.differences:
        if each.step != last:
            last = each.step
            yield from _wrapped(f"step {each.step}: {each.command}" if each.step else each.command, "  ")
        yield from difference_lines(each)


def difference_lines(each: Difference) -> Iterator[str]:
    """Both sides of a difference."""
    if each.excuse:
        yield from _wrapped(f"{each.what}, not counted: {each.excuse}", "    ")
        return
    yield f"    {each.what}"
    for side, text in (("kernel", each.kernel), ("model", each.model)):
        lines = text.splitlines() or ["(nothing)"]
        for index, line in enumerate(lines[:_MOST]):
            yield from _wrapped(line, f"      {side + ':' if not index else '':<8}")
        if len(lines) > _MOST:
            yield f"{'':14}... {len(lines) - _MOST} more lines"


def _wrapped(text: str, lead: str) -> Iterator[str]:
    room = _WIDTH - len(lead)
    for line in text.splitlines() or [""]:
        pieces = textwrap.wrap(line, room, drop_whitespace=False, break_on_hyphens=False) or [""]
        for piece in pieces:
            yield (lead + piece).rstrip()
            lead = " " * len(lead)


def _summary(verdicts: Sequence[Verdict], benches: Sequence[Bench]) -> Iterator[str]:
    count = {name: sum(each.outcome == name for each in verdicts) for name in ("same", "different", "lost")}
    told = ", ".join(f"{number} {name}" for name, number in count.items())
    rest = len(verdicts) - sum(count.values())
    yield f"{told}{f', {rest} not modelled' if rest else ''}"
    steps, seconds = sum(each.steps for each in verdicts), sum(each.seconds for each in verdicts)
    if steps:
        yield f"{steps} steps compared in {seconds:.0f} s ({steps * 60 / max(seconds, 0.001):.0f} a minute)"
    drawn = sum(each.draws > 1 for each in verdicts)
    if drawn:
        yield f"{drawn} played again, until the guest drew the numbers that the model draws"
    for bench in benches:
        how = f"its section table read by {bench.reading}" if bench.reads else "without its section table"
        if bench.sections and bench.reading and not bench.reads:
            how += f": {bench.reading}"
        line = f"kernel {bench.image.name}: {bench.image.release}, {bench.accel.upper()}, {how}"
        if bench.boots:
            line += f"; {bench.boots} boots of {bench.boot_seconds / bench.boots:.1f} s"
        if bench.lost_boots:
            line += f"; {bench.lost_boots} boots lost and tried again"
        if bench.resets:
            line += f", {bench.resets} resets of {bench.reset_seconds / bench.resets:.2f} s"
        yield from _wrapped(line, "")


def to_json(verdicts: Sequence[Verdict], benches: Sequence[Bench]) -> dict[str, Any]:
    """The whole report as plain values."""
    return {
        "kernels": [
            {
                "name": bench.image.name,
                "version": bench.image.version,
                "package": bench.image.package,
                "accelerator": bench.accel,
                "sections": bench.reads,
                "reading": bench.reading,
                "boots": bench.boots,
                "lost_boots": bench.lost_boots,
                "boot_seconds": round(bench.boot_seconds, 2),
                "resets": bench.resets,
                "reset_seconds": round(bench.reset_seconds, 2),
            }
            for bench in benches
        ],
        "results": [
            {
                "scenario": each.scenario,
                "kernel": each.kernel,
                "outcome": each.outcome,
                "steps": each.steps,
                "seconds": round(each.seconds, 2),
                "words": each.words,
                "draws": each.draws,
                "layout": each.layout,
                "qemu": each.qemu,
                "console": each.console.splitlines()[-40:],
                "differences": [difference._asdict() for difference in each.differences],
            }
            for each in verdicts
        ],
    }


def junit(verdicts: Sequence[Verdict]) -> str:
    """JUnit XML: a test suite a kernel, a test case a scenario; a lost guest is an error, what is not modelled is skipped."""
    root = Xml.Element("testsuites", name="sparsemem verify")
    for kernel in dict.fromkeys(each.kernel for each in verdicts):
        mine = [each for each in verdicts if each.kernel == kernel]
        suite = Xml.SubElement(
            root, "testsuite", name=f"kernel {kernel}", tests=str(len(mine)),
            failures=str(sum(each.outcome == "different" for each in mine)),
            errors=str(sum(each.outcome == "lost" for each in mine)),
            skipped=str(sum(each.outcome == "not modelled" for each in mine)),
            time=f"{sum(each.seconds for each in mine):.3f}",
        )  # fmt: skip
        for each in mine:
            name = os.path.basename(each.scenario).removesuffix(".toml")
            case = Xml.SubElement(
                suite, "testcase", classname=f"verify.{kernel}", name=name, time=f"{each.seconds:.3f}"
            )
            _outcome(case, each)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _outcome(case: Xml.Element, verdict: Verdict) -> None:
    if verdict.outcome == "different":
        first = verdict.counted[0]
        told = Xml.SubElement(case, "failure", type="different", message=_clean(f"step {first.step}: {first.what}"))
        lines = []
        for each in verdict.counted:
            lines += [f"step {each.step}: {each.command}", *difference_lines(each)]
        told.text = _clean("\n".join(lines))
    elif verdict.outcome == "lost":
        told = Xml.SubElement(case, "error", type="lost", message=_clean(verdict.words))
        told.text = _clean(verdict.console[-4000:])
    elif verdict.outcome == "not modelled":
        Xml.SubElement(case, "skipped", message=_clean(verdict.words))


def _clean(text: str) -> str:
    return text.translate(_UNPRINTABLE)
