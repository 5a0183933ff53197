"""Names are the kernel's choice: after something was taken back, the next namespace may get another one than on the model.

The journal stays in the names of the plan. ``Named`` stands between it and the machine: commands go out with the real names, what the
machine shows comes in with those of the plan.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sparsemem.planner.apply.view import WATCH, same_thing, view_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparsemem.planner.apply.journal import Journal
    from sparsemem.planner.apply.runners import Runner

__all__ = ["Named", "guess_names", "real_words"]

_KEYS = ("dev", "chardev", "blockdev")
_OTHER = "~"
"""Marks a device that has a name of the plan and is none of it."""
_NAME = re.compile(rf"\b((?:namespace|dax|pmem)\d+(?:\.\d+)?s?)\b({_OTHER}?)")


def real_words(names: Mapping[str, str], text: str) -> str:
    """A sentence with the names of the plan, as one with the real ones."""
    return _NAME.sub(lambda match: match[1] if match[2] else names.get(match[1], match[1]), text)


class Named:
    """A runner in the names of the plan."""

    def __init__(self, runner: Runner, journal: Journal) -> None:
        self._runner = runner
        self._journal = journal
        self.name = runner.name

    def real(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """The command as the machine gets it."""
        names = self._journal.names
        return tuple(names.get(word, word) for word in argv)

    def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
        return self._runner.run(self.real(argv))

    def observe(self) -> dict[str, Any]:
        names = self._journal.names
        lists = {**self._runner.observe(), WATCH: self._journal.watched}
        planned = {real: name for name, real in names.items()}

        def turn(document: Any) -> Any:
            if isinstance(document, list):
                return [turn(each) for each in document]
            if not isinstance(document, dict):
                return document
            return {
                key: back(value) if key in _KEYS and isinstance(value, str) else turn(value)
                for key, value in document.items()
            }

        def back(real: str) -> str:
            return planned.get(real, f"{real}{_OTHER}" if real in names else real)

        return (
            {key: turn(value) if key in ("ndctl", "daxctl") else value for key, value in lists.items()}
            if names
            else lists
        )

    def log(self) -> tuple[str, ...]:
        return self._runner.log()


def guess_names(journal: Journal, number: int, lists: dict[str, Any], sizes: set[int] | None = None) -> dict[str, str]:
    """Planned name -> real name, where what command ``number`` (from 1) was to make is there under other names; else nothing.

    It must be new, the only one of its kind, and show what was planned but for names; with ``sizes`` one of these sizes is enough.
    """
    before, after, view = journal.views[number - 1], journal.views[number], view_of(lists)
    found: dict[str, str] = {}
    for kind in ("namespace", "dax"):
        missing = [name for name in after if name not in before and name not in view and name.startswith(kind)]
        new = [name for name in view if name not in before and name not in after and name.startswith(kind)]
        if not missing or (sizes is not None and not new):
            continue
        if len(missing) != 1 or len(new) != 1:
            return {}
        then, now = after[missing[0]], view[new[0]]
        if not (
            _but_names(then) == _but_names(now)
            or (sizes is not None and (now.get("size") in sizes or same_thing(then, now)))
        ):
            return {}
        found[missing[0]] = new[0]
        found |= {str(then[key]): str(now[key]) for key in ("chardev", "blockdev") if key in then and key in now}
    return {name: real.removesuffix(_OTHER) for name, real in found.items()}


def _but_names(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if key not in _KEYS}
