"""Generated scenarios on both sides until enough steps were compared; each new difference is shrunk and written down."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from sparsemem.errors import SparsememError, UnreadableError
from sparsemem.lab.errors import LabError
from sparsemem.lab.generate import draw_machine, draw_scenario, to_toml
from sparsemem.lab.generate_virtio import with_virtio_mem
from sparsemem.lab.shrink import fewest, simplest
from sparsemem.lab.verify import Verdict, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sparsemem.lab.bench import Bench
    from sparsemem.lab.compare import Difference
    from sparsemem.play.scenario import MachineTable, Scenario

__all__ = ["Finding", "Summary", "fuzz", "signature"]

_PER_MACHINE = 4
_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference, its shortest scenario, and the file with it. ``seen``: how often it came up."""

    difference: Difference
    scenario: Scenario
    path: str
    seen: int = 1


@dataclass(slots=True)
class Summary:
    """What a run of ``fuzz`` came to. ``once``: files of differences that did not come again."""

    kernel: str
    seed: int
    steps: int = 0
    scenarios: int = 0
    machines: int = 0
    excused: int = 0
    unmodelled: int = 0
    once: list[str] = field(default_factory=list)
    seconds: float = 0.0
    comparing_seconds: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)

    @property
    def per_minute(self) -> float:
        """Compared steps a minute, boots and resets counted, shrinking not."""
        return self.steps * 60 / max(self.comparing_seconds, 0.001)


def signature(verdict: Verdict) -> str:
    """What makes two differences the same one: the kind, the command's verb, the words without numbers."""
    if verdict.outcome == "lost":
        return f"lost|{re.sub(r'[0-9]+', 'N', verdict.words)[:60]}"
    each = verdict.counted[0]
    verb = " ".join(re.findall(r"[a-z][\w-]*", each.command)[:2])
    kernel, model = (re.sub(r"0x[0-9a-f]+|[0-9a-f]{8,}|[0-9]+", "N", text)[:100] for text in (each.kernel, each.model))
    return f"{each.what}|{verb}|{kernel}|{model}"


def fuzz(
    bench: Bench, steps: int, seed: int, out: Path, *, tell: Callable[[Summary, str], None], plugs: bool = True,
    virtio_mem: bool = False,
) -> Summary:  # fmt: skip
    """Compare ``steps`` generated steps. ``tell`` hears what is being done; ``virtio_mem``: every machine has such a device, else some
    of those in which memory is plugged.

    Raises LabError where the lab cannot.
    """
    rng = Random(seed)  # noqa: S311
    summary = Summary(bench.image.name, seed)
    began = time.monotonic()
    refused = 0
    while summary.steps < steps:
        table = draw_machine(rng)
        plugging = plugs and rng.random() < (0.5 if table.nodes else 0.12)
        if virtio_mem or (plugging and rng.random() < 0.4):
            table, plugging = with_virtio_mem(rng, table), True
        summary.machines += 1
        for _ in range(1 if plugging else _PER_MACHINE):
            if summary.steps >= steps:
                break
            try:
                scenario = draw_scenario(rng, table, bench.image.version, _LENGTH, plugs=plugging)
            except SparsememError as error:
                summary.unmodelled += 1
                refused += 1
                if refused > 50:
                    raise LabError("the generator draws no machine that the model takes", why=str(error)) from None
                break
            refused = 0
            _one(bench, scenario, summary, out, tell, not plugging)
            summary.seconds = time.monotonic() - began
    return summary


def _one(
    bench: Bench, scenario: Scenario, summary: Summary, out: Path, tell: Callable[[Summary, str], None], again: bool
) -> None:
    def watch(number: int, text: str) -> None:
        tell(summary, text)

    tell(summary, "a new machine" if again else "a machine with plugging")
    verdict = verify(scenario, bench, watch=watch, stop_at_first=True, again=again)
    summary.steps += verdict.steps
    summary.scenarios += 1
    summary.comparing_seconds += verdict.seconds
    summary.excused += any(each.excuse for each in verdict.differences)
    summary.unmodelled += verdict.outcome == "not modelled"
    if verdict.outcome not in ("different", "lost"):
        return
    key = signature(verdict)
    known = summary.findings.get(key)
    if known is not None:
        summary.findings[key] = replace(known, seen=known.seen + 1)
        return
    tell(summary, f"shrinking: {key}")
    finding = _shrunk(bench, scenario, verdict, key, summary, out, tell)
    if finding is not None:
        summary.findings[key] = finding


def _shrunk(
    bench: Bench, scenario: Scenario, verdict: Verdict, key: str, summary: Summary, out: Path,
    tell: Callable[[Summary, str], None],
) -> Finding | None:  # fmt: skip
    kind = key.partition("|")[0]
    best: list[Verdict] = [verdict]

    def shows(candidate: Scenario) -> bool:
        tell(summary, f"shrinking: {len(candidate.steps)} steps, {kind}")
        found = verify(candidate, bench, stop_at_first=True, again=True)
        if found.outcome not in ("different", "lost") or signature(found).partition("|")[0] != kind:
            return False
        best.append(found)
        return True

    last = verdict.counted[0].step if verdict.counted else min(verdict.steps + 1, len(scenario.steps))
    scenario = replace(scenario, steps=scenario.steps[:last])
    if not shows(scenario):
        path = out / f"{summary.kernel}-{summary.seed}-once-{len(summary.once) + 1}.toml"
        _write(path, scenario, verdict, summary)
        summary.once.append(str(path))
        return None
    shorter = fewest(scenario.steps, lambda steps: shows(replace(scenario, steps=steps)))
    scenario = replace(scenario, steps=shorter)

    def machine_shows(table: MachineTable) -> bool:
        try:
            return shows(replace(scenario, machine=table))
        except SparsememError:
            return False

    scenario = replace(scenario, machine=simplest(scenario.machine, machine_shows))
    final = best[-1]
    path = out / f"{summary.kernel}-{summary.seed}-{len(summary.findings) + 1}.toml"
    _write(path, scenario, final, summary)
    difference = final.counted[0] if final.counted else verdict_words(final)
    return Finding(difference, scenario, str(path))


def verdict_words(verdict: Verdict) -> Difference:
    """A lost guest as a difference."""
    from sparsemem.lab.compare import Difference

    return Difference(verdict.steps + 1, "", "guest lost", verdict.words, "answers")


def _write(path: Path, scenario: Scenario, verdict: Verdict, summary: Summary) -> None:
    from sparsemem.lab.report import difference_lines

    lines = [
        f"Found by sparsemem fuzz --kernel {summary.kernel} --seed {summary.seed}: {verdict.outcome}. {verdict.words}"
    ]
    for each in verdict.counted:
        lines += [f"step {each.step}: {each.command}", *difference_lines(each)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_toml(scenario, "\n".join(lines)))
    except OSError as error:
        raise UnreadableError(f"cannot write it: {error.strerror}", where=str(path)) from None
