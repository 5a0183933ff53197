"""Playing a solution on a copy of the machine: each command, what the machine shows after it, and whether that is what was predicted."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from sparsemem.kernel.dax.types import DEVICE_DAX, KMEM, DevDax
from sparsemem.kernel.nvdimm.core import namespace_of
from sparsemem.kernel.nvdimm.types import NdPfn
from sparsemem.planner.intent import size_word
from sparsemem.planner.measure import dax_outcome, device_of, outcome_of
from sparsemem.planner.plan import Command, Expectation, PlannedNamespace
from sparsemem.planner.shows import NAMESPACE_KEYS, dax_shows
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.kernel.nvdimm.types import NdNamespace
    from sparsemem.machine.machine import Machine
    from sparsemem.planner.intent import Item
    from sparsemem.planner.predict import Outcome, Rules
    from sparsemem.planner.problem import Placement
    from sparsemem.planner.spaces import Space
    from sparsemem.play.player import StepResult

__all__ = ["CommandRefusedError", "PredictionError", "Prover", "block_words", "shell_text"]

_POLICY = "/sys/devices/system/memory/auto_online_blocks"
_SHELL = ("sh", "-c")
_IN_THE_WAY: tuple[tuple[str, str | None], ...] = (
    ("could not reserve", "resource-busy"),
    ("exceeds maximum addressable range", "addressable-range"),
    ("Conflicting mapping", "conflicting-mapping"),
    ("attempted on", "mixed-region"),
    ("Memory debug options prevent", "page-map-debug"),
    ("failed with error -17", None),  # a dax region of the same number has a device of that name
)
"""What the kernel says, and the rule, where it minds what else lies at a region's addresses, or how it was built: the search asks about
neither."""


class PredictionError(RuntimeError):
    """The model played a command and something else came of it than the planner had predicted: a bug of the planner."""


class CommandRefusedError(Exception):
    """The machine as it is does not let a command through: its argv, and the words. ``item``: the one that it was to make, None where
    it was to make room."""

    def __init__(
        self, argv: tuple[str, ...], step: StepResult, item: int | None = None, rule: str | None = None
    ) -> None:
        super().__init__(shlex.join(argv))
        self.argv = argv
        self.item = item
        self.words = tuple(line for line in (*step.stdout.splitlines(), *step.log_lines) if line.strip())
        self.rule = rule or (step.refusal.rule if step.refusal is not None else None)


def _unforeseen(argv: tuple[str, ...], step: StepResult, item: int) -> Exception:
    """A command was refused that the search had found good: for a reason that it does not look at, or by our fault."""
    for words, rule in _IN_THE_WAY:
        if any(words in line for line in step.log_lines):
            return CommandRefusedError(argv, step, item, rule)
    return PredictionError(
        f"{shlex.join(argv)} was refused: {' / '.join((*step.stdout.splitlines(), *step.log_lines))}"
    )


def shell_text(argv: tuple[str, ...]) -> str:
    """A command as a line for a shell; that of ``sh -c`` is its own text."""
    return argv[2] if argv[:2] == _SHELL else shlex.join(argv)


def block_words(blocks: tuple[int, int]) -> str:
    """``memory41`` or ``memory37 to memory39``."""
    first, last = blocks[0], blocks[1] - 1
    return f"memory{first}" if first == last else f"memory{first} to memory{last}"


def _write(path: str, value: str) -> tuple[str, ...]:
    return (*_SHELL, f"echo {value} > {path}")


class Prover:
    """Plays commands on a copy of ``machine`` and collects them, with what they make."""

    def __init__(self, machine: Machine, ndctl: tuple[int, ...], rules: Rules) -> None:
        self.machine = machine.copy()
        self.rules = rules
        self.ndctl = ndctl
        self.player = Player(self.machine, ndctl=ndctl)
        self.commands: list[Command] = []
        self.namespaces: list[PlannedNamespace] = []

    # -- commands

    def play(self, argv: tuple[str, ...]) -> StepResult:
        """Run a command on the copy."""
        text = shell_text(argv)
        return self.player.step(text, parse_step(text), tty=False)

    def _must(self, argv: tuple[str, ...]) -> StepResult:
        step = self.play(argv)
        if step.exit_code:
            raise CommandRefusedError(argv, step)
        return step

    def _add(
        self, argv: tuple[str, ...], why: str, expect: Iterable[Expectation] = (), undo: tuple[tuple[str, ...], ...] | None = None,
        destroys: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.commands.append(Command(argv, why, tuple(expect), undo, destroys))

    # -- making room

    def make_room(self, spaces: list[Space], in_place: set[str], labels: set[str]) -> None:
        """Take away what is replaced. ``in_place``: devices that are made anew where they are; ``labels``: regions to give labels.

        Raises CommandRefusedError.
        """
        for space in spaces:
            for ndns in space.replaced:
                self._back_to_devdax(device_of(self.machine.state, ndns))
                if ndns.name not in in_place and space.name not in labels:
                    self._destroy(ndns.name, stays=not space.labelled)
            for dev in space.replaced_devices:
                self._back_to_devdax(dev.name)
                if dev.name not in in_place:
                    self._destroy_dax(dev.name)
            if space.name in labels:
                self._init_labels(space)

    def _back_to_devdax(self, name: str | None) -> None:
        dev = self.machine.state.dax.get(name or "")
        if not isinstance(dev, DevDax) or dev.driver != KMEM:
            return
        shown = dax_shows(self.machine, dev.name, self.ndctl) or {}
        zone = ("--no-movable",) if shown.get("movable") is False else ()
        back = [("daxctl", "reconfigure-device", "-m", "system-ram", *zone, dev.name)]
        policy = self._policy()
        if policy.startswith("online"):
            back = [_write(_POLICY, "offline"), *back, _write(_POLICY, policy)]
        argv = ("daxctl", "reconfigure-device", "-m", "devdax", "-f", dev.name)
        self._must(argv)
        expect = [Expectation("daxctl", dev.name, dax_shows(self.machine, dev.name, self.ndctl))]
        self._add(
            argv,
            f"Take the memory of {dev.name} offline and give it back, so that it can be replaced.",
            expect,
            tuple(back),
        )

    def _destroy(self, name: str, *, stays: bool) -> None:
        """``stays``: the region has no labels, so its namespace is all of it for ever; ndctl disables it and destroys none."""
        argv = ("ndctl", "destroy-namespace", "-f", name)
        self._must(argv)
        shows = {"mode": "raw", "state": "disabled"} if stays else None
        self._add(argv, f"The intent replaces {name}.", [Expectation("ndctl", name, shows)], None, (name,))

    def _destroy_dax(self, name: str) -> None:
        if name.endswith(".0"):  # the kernel keeps the first device of a region: it can be emptied
            back: tuple[tuple[str, ...], ...] | None = (("daxctl", "enable-device", name),)
            steps: tuple[tuple[str, ...], ...] = (
                ("daxctl", "disable-device", name), ("daxctl", "reconfigure-device", "-s", "0", name),
            )  # fmt: skip
            for step in steps:
                self._must(step)
                expect = [Expectation("daxctl", name, None)] if back is None else []
                self._add(step, f"The intent replaces {name}.", expect, back, () if back else (name,))
                back = None
            return
        argv = ("daxctl", "destroy-device", "-f", name)
        self._must(argv)
        self._add(argv, f"The intent replaces {name}.", [Expectation("daxctl", name, None)], None, (name,))

    def _init_labels(self, space: Space) -> None:
        """New, empty labels on every DIMM of a region; what is on the region stays where it is, and nothing points to it."""
        assert space.region is not None
        enable = ("ndctl", "enable-region", space.name)
        disable = ("ndctl", "disable-region", space.name)
        self._must(disable)
        self._add(disable, f"Let go of the DIMMs of {space.name}.", (), (enable,))
        gone = tuple(each.name for each in space.replaced)
        for mapping in space.region.mappings:
            argv = ("ndctl", "init-labels", "-f", mapping.nvdimm)
            self._must(argv)
            self._add(argv, f"Labels on {mapping.nvdimm}: {space.name} can be divided then.", (), None, gone)
            gone = ()
        self._must(enable)
        self._add(enable, f"{space.name} comes back, with labels and empty.", (), ())

    # -- making namespaces

    def create(self, space: Space, placement: Placement, item: Item) -> str:
        """Make a namespace or a dax device; its name. Raises PredictionError."""
        if space.dax is not None:
            return self._create_dax(space, placement, item)
        return self._create_namespace(space, placement, item)

    def _argv(self, space: Space, placement: Placement, item: Item) -> tuple[str, ...]:
        mode = "devdax" if item.mode == "system-ram" else item.mode
        argv = ["ndctl", "create-namespace"]
        argv += ["-r", space.name] if space.labelled else ["-f", "-e", space.replaced[0].name]
        argv += ["-m", mode]
        if space.label_area and not space.labelled:
            argv += ["--no-autolabel"]  # else labels appear where the intent did not ask for any
        if space.labelled:
            argv += ["-s", size_word(placement.size)]
        if item.map is not None:
            argv += ["-M", item.map]
        if item.align is not None:
            argv += ["-a", size_word(item.align)]
        elif mode in ("fsdax", "devdax") and not space.labelled and self.rules.tool.keeps_alignment:
            argv += ["-a", size_word(self.rules.align(space, item))]  # else that of what is replaced
        if item.sector_size is not None:
            argv += ["-l", str(item.sector_size)]
        if item.name is not None and space.labelled:
            argv += ["-n", item.name]
        return tuple(argv)

    def _create_namespace(self, space: Space, placement: Placement, item: Item) -> str:
        argv = self._argv(space, placement, item)
        step = self.play(argv)
        if step.exit_code:
            raise _unforeseen(tuple(argv), step, placement.item)
        shown = json.loads(step.stdout[step.stdout.index("{") :])
        state, name = self.machine.state, str(shown["dev"])
        ndns = namespace_of(state, name)
        self._compare(argv, placement, item, outcome_of(state, ndns), (ndns.start, ndns.end + 1))
        undo = (("ndctl", "destroy-namespace", "-f", name),) if space.labelled else None
        words = "devdax first, for system-ram," if item.mode == "system-ram" else item.mode
        expect = Expectation("ndctl", name, {key: shown[key] for key in NAMESPACE_KEYS if key in shown})
        gone = () if space.labelled else (name,)
        self._add(argv, f"{name}: {words} at {placement.start:#x}.", [expect], undo, gone)
        if item.mode != "system-ram":
            self._planned(space, placement, item, ndns, device_of(state, ndns))
        return name

    def _compare(
        self, argv: tuple[str, ...], placement: Placement, item: Item, got: Outcome | None, where: tuple[int, int]
    ) -> None:
        want = placement.outcome
        if item.mode == "system-ram" and got is not None and got.blocks is None:
            # not memory yet: everything but the blocks must be as predicted
            want = want._replace(usable=want.usable + want.outside_blocks, outside_blocks=0, blocks=None, data=got.data)
        if got is not None and got.mapped is None:  # pages of a raw namespace, which has no layout to look at
            got = got._replace(mapped=want.mapped)
        if got != want or where != (placement.start, placement.start + placement.size):
            raise PredictionError(
                f"{shlex.join(argv)}: predicted {want} at {placement.start:#x}+{placement.size:#x}, the model made {got} at "
                f"{where[0]:#x}+{where[1] - where[0]:#x}"
            )

    def _planned(self, space: Space, placement: Placement, item: Item, ndns: NdNamespace, device: str | None) -> None:
        got, unit = placement.outcome, self.rules.state.kernel.geometry.SUBSECTION_SIZE
        mapped = got.mapped
        claim = self.machine.state.nd.get(ndns.claim)
        self.namespaces.append(
            PlannedNamespace(
                dev=ndns.name, item=placement.item, region=space.name, mode=item.mode,
                map={"ram": "mem", "pmem": "dev"}.get(claim.mode) if isinstance(claim, NdPfn) else None,
                align=claim.align if isinstance(claim, NdPfn) else None,
                sector_size=item.sector_size or (4096 if item.mode == "sector" else None), name=item.name,
                range=Range(ndns.start, ndns.end + 1), data=None if got.data is None else Range(*got.data), usable=got.usable,
                device=device, subsections=0 if mapped is None else -(-mapped[1] // unit) - mapped[0] // unit, blocks=got.blocks,
                numa_node=space.target_node if item.mode == "system-ram" else space.numa_node,
            )
        )  # fmt: skip

    # -- dax regions

    def _create_dax(self, space: Space, placement: Placement, item: Item) -> str:
        assert space.dax is not None
        state = self.machine.state
        end = placement.start + placement.size
        for dev in space.replaced_devices:
            if [(r.start, r.end + 1) for r in dev.ranges] == [(placement.start, end)] and state.dax[dev.name].size:
                self._ready_dax(space, placement, item, dev.name)
                return dev.name
        argv = ["daxctl", "create-device", "-r", str(space.dax.id), "-s", size_word(placement.size)]
        if item.align is not None:
            argv += ["-a", size_word(item.align)]
        before = {name for name, dev in state.dax.items() if isinstance(dev, DevDax) and dev.size}
        step = self.play(tuple(argv))
        new = {name for name, dev in state.dax.items() if isinstance(dev, DevDax) and dev.size} - before
        if step.exit_code or len(new) != 1:
            raise _unforeseen(tuple(argv), step, placement.item)
        name = new.pop()
        self._add(
            tuple(argv), f"{name}: {size_word(placement.size)} of {space.name} at {placement.start:#x}.",
            [Expectation("daxctl", name, dax_shows(self.machine, name, self.ndctl))], (("daxctl", "destroy-device", "-f", name),),
        )  # fmt: skip
        self._ready_dax(space, placement, item, name)
        return name

    def _ready_dax(self, space: Space, placement: Placement, item: Item, name: str) -> None:
        """A device in mode devdax; system-ram comes later."""
        state = self.machine.state
        dev = state.dax[name]
        if dev.driver != DEVICE_DAX:
            argv = ("daxctl", "reconfigure-device", "-m", "devdax", "-f", name)
            self._must(argv)
            expect = [Expectation("daxctl", name, dax_shows(self.machine, name, self.ndctl))]
            self._add(argv, f"{name} as a device first.", expect, ())
        if item.mode == "devdax":
            got = dax_outcome(state, state.dax[name])
            self._compare(("daxctl", name), placement, item, got, got.data or (0, 0))
            self._planned_dax(space, placement, item, name)

    def _planned_dax(self, space: Space, placement: Placement, item: Item, name: str) -> None:
        got, unit = placement.outcome, self.rules.state.kernel.geometry.SUBSECTION_SIZE
        end = placement.start + placement.size
        self.namespaces.append(
            PlannedNamespace(
                dev=name, item=placement.item, region=space.name, mode=item.mode, map="mem", align=self.machine.state.dax[name].align,
                sector_size=None, name=None, range=Range(placement.start, end), data=None if got.data is None else Range(*got.data),
                usable=got.usable, device=name, subsections=-(-end // unit) - placement.start // unit, blocks=got.blocks,
                numa_node=space.target_node,
            )
        )  # fmt: skip

    # -- system-ram

    def to_ram(self, made: list[tuple[Space, Placement, Item, str]]) -> None:
        """Turn devdax devices into memory, with the kernel's policy out of the way."""
        if not made:
            return
        policy = self._policy()
        automatic = policy.startswith("online")
        if automatic:
            self._policy_to(
                "offline", policy, "Else the kernel brings the memory online by itself, in a zone of its choice."
            )
        for space, placement, item, name in made:
            self._reconfigure(space, placement, item, name)
        if automatic:
            self._policy_to(policy, "offline", "The policy as it was.")

    def _policy(self) -> str:
        step = self.play(("cat", _POLICY))
        return step.stdout.strip() if step.exit_code == 0 else "offline"

    def _policy_to(self, value: str, old: str, why: str) -> None:
        argv = _write(_POLICY, value)
        self._must(argv)
        self._add(argv, why, (), (_write(_POLICY, old),))

    def _reconfigure(self, space: Space, placement: Placement, item: Item, name: str) -> None:
        state = self.machine.state
        ndns = None if space.dax is not None else namespace_of(state, name)
        device = name if ndns is None else device_of(state, ndns)
        assert device is not None
        argv = (
            "daxctl",
            "reconfigure-device",
            "-m",
            "system-ram",
            *(() if item.movable else ("--no-movable",)),
            device,
        )
        step = self.play(argv)
        if step.exit_code:
            raise _unforeseen(tuple(argv), step, placement.item)
        got = dax_outcome(state, state.dax[device]) if ndns is None else outcome_of(state, ndns)
        self._compare(argv, placement, item, got, (placement.start, placement.start + placement.size))
        undo = (("daxctl", "reconfigure-device", "-m", "devdax", "-f", device),)
        blocks = placement.outcome.blocks
        assert blocks is not None
        zone = "ZONE_MOVABLE" if item.movable else "ZONE_NORMAL"
        self._add(
            argv, f"{device}: {block_words(blocks)} of node {space.target_node}, online in {zone}.",
            [Expectation("daxctl", device, dax_shows(self.machine, device, self.ndctl))], undo if item.movable else None,
        )  # fmt: skip
        if ndns is None:
            self._planned_dax(space, placement, item, name)
        else:
            self._planned(space, placement, item, ndns, device)
