"""A scenario on both sides: the model and a real kernel, compared after every step."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparsemem.errors import NotModelledError, SparsememError
from sparsemem.kernel.memory_hotplug.zones import ZONE_MOVABLE
from sparsemem.kernel.virtio_mem.table import blocks_of, device_of
from sparsemem.lab.compare import NUMBERS, Difference, compare_answers, compare_observations
from sparsemem.lab.errors import GuestLostError, RefusedByQemuError
from sparsemem.lab.luck import probed_at_boot, probed_by
from sparsemem.lab.masks import Uuids
from sparsemem.lab.observe import Observation, of_guest, of_model
from sparsemem.lab.transcript import Recorder, refused_document
from sparsemem.play.player import Player
from sparsemem.play.setup import set_up
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.lab.bench import Bench, Seat
    from sparsemem.play.player import StepResult
    from sparsemem.play.scenario import Scenario
    from sparsemem.play.shell import Script

__all__ = ["Verdict", "verify"]

_DRAWS = 5
"""How often a scenario is played at most, until the numbers that a region's workers draw are those of the model."""
_KERNEL_PAGES = "whether a kernel zone's block can go offline depends on where the kernel's own pages lie"
_ASKED_ONCE = "a page of Movable was in use when its sub-block was asked for, which a driver before v5.11 does once"


@dataclass(slots=True)
class Verdict:
    """``outcome``: "same", "different", "lost" (the guest is gone) or "not modelled" (the model said that it cannot tell).

    ``steps``: how many were compared. ``words``: why it was lost or is not modelled; or QEMU's, which would not start the machine.
    ``draws``: how often it was played, until the guest's luck was what the model assumes; the last time is what is told.
    """

    scenario: str
    kernel: str
    outcome: str = "same"
    steps: int = 0
    seconds: float = 0.0
    boot_seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)
    words: str = ""
    console: str = ""
    transcript: dict[str, Any] | None = None
    layout: str = ""
    qemu: list[str] = field(default_factory=list)
    draws: int = 1

    @property
    def counted(self) -> list[Difference]:
        """The differences without an excuse."""
        return [each for each in self.differences if not each.excuse]


def verify(
    scenario: Scenario,
    bench: Bench,
    *,
    record: bool = False,
    watch: Callable[[int, str], None] | None = None,
    stop_at_first: bool = False,
    again: bool = False,
) -> Verdict:
    """Play the scenario on both sides. ``watch`` hears of each step before it is taken; ``again``: the machine will be wanted again.

    What is found is in the verdict. Raises LabError where the lab itself cannot.
    """
    began = time.monotonic()
    booted = bench.boot_seconds
    again = again or any(probed_by(text) for text, _ in scenario.steps)
    for draw in range(1, _DRAWS + 1):
        verdict = Verdict(scenario.name, bench.image.name, qemu=bench.arguments(scenario.machine), draws=draw)
        _played(_Run(scenario, bench, verdict, Recorder(scenario) if record else None, watch, stop_at_first), again)
        if verdict.outcome != "same" or not verdict.differences or verdict.differences[-1].excuse != NUMBERS:
            break
        if not probed_by(verdict.differences[-1].command):
            bench.close()  # the boot drew the numbers: a machine that is set back has them still
    verdict.seconds = time.monotonic() - began
    verdict.boot_seconds = bench.boot_seconds - booted
    return verdict


def _played(run: _Run, again: bool) -> None:
    verdict = run.verdict
    try:
        run.run(again)
    except NotModelledError as error:
        verdict.outcome, verdict.words = "not modelled", str(error)
    except GuestLostError as error:
        verdict.outcome, verdict.words, verdict.console = "lost", str(error), error.console
        run.bench.close()
    if verdict.outcome in ("same", "not modelled") and verdict.counted:
        verdict.outcome = "different"


@dataclass(slots=True)
class _Run:
    scenario: Scenario
    bench: Bench
    verdict: Verdict
    recorder: Recorder | None
    watch: Callable[[int, str], None] | None
    stop_at_first: bool

    def _differ(self, step: int, command: str, what: str, kernel: str, model: str) -> None:
        self.verdict.differences.append(Difference(step, command, what, kernel, model))

    def run(self, again: bool) -> None:
        scenario, verdict = self.scenario, self.verdict
        refusal: SparsememError | None = None
        player: Player | None = None
        try:
            player = Player(*set_up(scenario, self.bench.image.version))
        except NotModelledError:
            raise
        except SparsememError as error:
            refusal = error
        try:
            seat = self.bench.sit(scenario.machine, again=again)
        except RefusedByQemuError as refused:
            verdict.words = f"QEMU refuses: {refused.what}"
            if refusal is None or refused.what not in f"{refusal.what} {refusal.why}":
                self._differ(0, "(machine)", "machine", refused.what, str(refusal or "starts"))
            if self.recorder is not None:
                verdict.transcript = refused_document(self.bench.image, refused.what)
            return
        if player is None:
            self._differ(0, "(machine)", "machine", "starts", str(refusal))
            return
        self._steps(seat, player)
        if self.recorder is not None:
            verdict.transcript = self.recorder.document(self.bench.image)
        from sparsemem.machine.notation import format_machine

        verdict.layout = format_machine(player.machine)

    def _steps(self, seat: Seat, player: Player) -> None:
        verdict, recorder = self.verdict, self.recorder
        given = "\n".join(text for text, _ in self.scenario.steps)
        uuids = Uuids(given), Uuids(given)
        if seat.labels is not None and recorder is not None:
            recorder.step(*seat.labels)
        seen: Observation = of_guest(seat.guest.look(), seat.reader)
        boot = probed_at_boot(of_model(player).ndctl)
        verdict.differences += compare_observations(0, "(boot)", seen, of_model(player), uuids, boot)
        for number, (text, script) in enumerate(self.scenario.steps, 1):
            if self.stop_at_first and verdict.counted:
                break
            if self.watch is not None:
                self.watch(number, text)
            luck = _luck(player, text)
            model = self._model(player, number, text, script)
            answer, shown = seat.guest.take(text)
            if recorder is not None:
                recorder.step(text, answer)
            seen = of_guest(shown, seat.reader)
            verdict.steps = number
            if model is None:
                break
            found = list(compare_answers(number, answer, model, uuids, boot))
            found += compare_observations(number, text, seen, of_model(player), uuids, boot)
            if luck == _ASKED_ONCE and answer.stdout == model.stdout:
                luck = ""
            excuse = _excuse(model, answer.exit_code, answer.stdout) or luck if found else ""
            verdict.differences += [each._replace(excuse=excuse) for each in found] if excuse else found
            if excuse or any(each.excuse == NUMBERS for each in found):
                break  # from here on the two are different machines
        if recorder is not None:
            recorder.end(seen)

    def _model(self, player: Player, number: int, text: str, script: Script) -> StepResult | None:
        try:
            return player.step(text, script)
        except SparsememError:
            raise
        except Exception as error:
            import traceback

            where = traceback.extract_tb(error.__traceback__)[-1]
            bug = f"a bug: {type(error).__name__}: {error} ({where.filename.rpartition('/')[2]}:{where.lineno})"
            self._differ(number, text, "model", "answers", bug)
            return None


def _luck(player: Player, command: str) -> str:
    """Why a virtio-mem device may keep more than the model says when it is to shrink: it has memory in a kernel zone, or its driver asks
    for the pages of a sub-block only once."""
    words = command.split()
    if words[:1] != ["resize"] or player.dimms is None:
        return ""
    known = [device.name for device in player.dimms.virtio_mems]
    state = player.machine.state
    vm = device_of(state, f"virtio{known.index(words[1])}") if words[1] in known else None
    if vm is None or parse_size(words[2]) >= vm.plugged_size:
        return ""
    blocks = (block for each in range(vm.first_id, vm.next_id) for _, block in blocks_of(state, vm, each))
    if any(block.state == "online" and block.zone != ZONE_MOVABLE for block in blocks):
        return _KERNEL_PAGES
    return "" if state.kernel.features.virtio_mem_big_block_mode else _ASKED_ONCE


def _excuse(model: StepResult, exit_code: int, words: str) -> str:
    """Whether a block of a kernel zone can be taken offline hangs on where the guest's own pages lie: the one thing that is assumed."""
    refused = model.refusal is not None and model.refusal.rule == "unmovable-page"
    offlined = "offline" in model.command and model.exit_code == 0 and exit_code != 0 and "busy" in words.lower()
    unplugged = model.command.startswith("unplug") and model.exit_code == 0 and "status=130" in words
    chmem = "chmem" in model.command and _busy_blocks(words) != _busy_blocks(model.stdout)
    if (refused and exit_code == 0) or offlined or unplugged or chmem:
        return _KERNEL_PAGES
    return ""


def _busy_blocks(words: str) -> set[str]:
    """The memory blocks that chmem says were busy."""
    return set(re.findall(r"Memory Block (\d+) .* disable failed: Device or resource busy", words))
