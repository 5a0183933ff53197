"""An intent put to a machine: what the search finds before anything is played, and how often that may be asked for one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.planner.measure import device_of
from sparsemem.planner.predict import Rules
from sparsemem.planner.problem import Problem
from sparsemem.planner.prove import Prover
from sparsemem.planner.solve import solve
from sparsemem.planner.spaces import find_spaces, with_labels
from sparsemem.planner.wants import make_wants

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.machine.machine import Machine
    from sparsemem.planner.intent import Intent
    from sparsemem.planner.problem import Want
    from sparsemem.planner.prove import CommandRefusedError
    from sparsemem.planner.solve import Solution
    from sparsemem.planner.wants import Forbidden

__all__ = ["Asker", "Question"]

_MOST_ASKED = 60
_QUICKLY = 500
_MOST_SPENT = 80_000
_MOST_TRIED = 40_000


def _without_replaced(machine: Machine, intent: Intent, ndctl: tuple[int, ...]) -> Machine:
    """Up to v5.2 mappings are tried on the state, where those that go must not be in the way."""
    if machine.kernel.features.subsection_hotplug or not intent.replace:
        return machine
    prover = Prover(machine, ndctl, Rules(machine.state, ndctl))
    for space in find_spaces(machine.state, intent.replace, ndctl):
        for each in space.replaced:
            prover.play(
                (
                    "ndctl",
                    "destroy-namespace" if space.labelled else "disable-namespace",
                    *(("-f",) if space.labelled else ()),
                    each.name,
                )
            )
    return prover.machine


class Question:
    """An intent on a machine: what was found, before anything is played. ``labelled``: the problem as it would be with labels on the
    regions that have none, where those do not help either."""

    def __init__(
        self, machine: Machine, intent: Intent, ndctl: tuple[int, ...], *, quick: bool = False,
        known: dict[tuple[str, ...], Rules],
    ) -> None:  # fmt: skip
        rules = known.get(intent.replace)
        if rules is None:
            rules = known[intent.replace] = Rules(_without_replaced(machine, intent, ndctl).state, ndctl)
        self.rules = rules
        self.machine = machine
        self.known = known
        self.intent = intent
        self.ndctl = ndctl
        self.labels: set[str] = set()
        self.labelled: Problem | None = None
        self.quick = quick
        self.spaces = find_spaces(machine.state, intent.replace, ndctl)
        self._ask()
        if self.solution is None:
            self._with_labels(machine)

    def _ask(self) -> None:
        self.forbidden: list[Forbidden] = []
        self.blocked: Want | None = None
        self.solution: Solution | None = None
        wants, self.forbidden = make_wants(self.rules, self.spaces, self.intent, self.ndctl)
        self.problem = Problem(self.rules, self.intent, self.spaces, wants, self.ndctl)
        if self.quick:
            self.problem.most_tried = _QUICKLY
        if not self.forbidden:
            self.solution, self.blocked = solve(self.problem)

    @property
    def gone(self) -> tuple[str, ...]:
        """The devices that it replaces."""
        namespaces = [each.name for space in self.spaces for each in space.replaced]
        return (*namespaces, *(each.name for space in self.spaces for each in space.replaced_devices))

    @property
    def devices(self) -> tuple[str, ...]:
        """All that are there."""
        return tuple(name for space in self.spaces for name in space.device_names)

    def words(self, name: str) -> tuple[str, ...]:
        """The region of one of them, and the block or dax device that it is to users: what a command can be about."""
        for space in self.spaces:
            for each in space.replaced:
                if each.name == name:
                    return space.name, device_of(self.rules.state, each) or ""
        return ()

    def _with_labels(self, machine: Machine) -> None:
        """Would label-less regions help if they had labels? Only those that the intent replaces altogether."""
        could = {space.name for space in self.spaces if space.label_area and not space.kept and space.replaced}
        if not could:
            return
        kept = self.spaces, self.problem, self.forbidden, self.blocked
        self.spaces = [with_labels(machine.state, space) if space.name in could else space for space in self.spaces]
        self._ask()
        if self.solution is None:
            self.labelled = self.problem
            self.spaces, self.problem, self.forbidden, self.blocked = kept
        else:
            used = {self.spaces[each.space].name for each in self.solution.placements}
            self.labels = could & used


class Asker:
    """Asks about other intents than the one that was given. ``rehearse`` plays what was found; None where all of it goes."""

    def __init__(self, question: Question, rehearse: Callable[[Question], CommandRefusedError | None]) -> None:
        self.first = question
        self.rehearse = rehearse
        self.left = _MOST_ASKED
        self.spent = 0
        self.stuck: set[str] = set()
        self._found: dict[Intent, Question] = {question.intent: question}
        self._sure: dict[Intent, bool] = {}

    def ask(self, intent: Intent) -> Question | None:
        """What the quick search finds; None after too many questions, or too much work for them."""
        found = self._found.get(intent)
        if found is None:
            if (
                self.left <= 0
                or self.spent > _MOST_TRIED
                or sum(rules.spent for rules in self.first.known.values()) > _MOST_SPENT
            ):
                return None
            self.left -= 1
            found = Question(self.first.machine, intent, self.first.ndctl, quick=True, known=self.first.known)
            self.spent += found.problem.tried
            self._found[intent] = found
        return found

    def can(self, intent: Intent) -> bool:
        """Can it be had, as far as can be told without playing it?"""
        found = self.ask(intent)
        return found is not None and found.solution is not None and not self.stuck.intersection(found.gone)

    def sure(self, intent: Intent) -> bool:
        """Can it be had? It is played. What does not let go of its memory is not asked to again."""
        if intent not in self._sure:
            refused = None
            if (good := self.can(intent)) and (refused := self.rehearse(self._found[intent])) is not None:
                good = False
                if refused.item is None:
                    word = refused.argv[-1]
                    self.stuck |= {
                        name for name in self._found[intent].gone if word in (name, *self._found[intent].words(name))
                    }
            self._sure[intent] = good
        return self._sure[intent]
