"""Names are the kernel's choice: after something was taken back, the next namespace may get another one than on the model.

The journal stays in the names of the plan. ``Named`` stands between it and the machine: commands go out with the real names, what the
machine shows comes in with those of the plan.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sparsemem.planner.apply.view import SYSFS, relevant, same_thing, view_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparsemem.planner.apply.journal import Journal
    from sparsemem.planner.apply.runners import Runner

__all__ = ["Named", "guess_names", "real_words", "told_names"]

_KEYS = ("dev", "chardev", "blockdev")
_OTHER = "~"
"""Marks a device that has a name of the plan and is none of it."""
_NAME = re.compile(rf"\b((?:region|namespace|dax|pmem)\d+(?:\.\d+)?s?)\b({_OTHER}?)")


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
        lists = relevant(self._runner.observe(), (step.argv for step in self._journal.steps))
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

        if not names:
            return lists
        text = _NAME.sub(lambda match: back(match[1]), str(lists.get(SYSFS) or ""))
        return {key: turn(value) if key in ("ndctl", "daxctl") else value for key, value in lists.items()} | {
            SYSFS: text
        }

    def log(self) -> tuple[str, ...]:
        return self._runner.log()


def guess_names(journal: Journal, number: int, lists: dict[str, Any], sizes: set[int] | None = None) -> dict[str, str]:
    """Planned name -> real name, where what command ``number`` (from 1) was to make is there under other names; else nothing.

    It must be new, the only one of its kind, and show what was planned but for names; with ``sizes`` one of these sizes is enough.
    """
    before, after, view = journal.holding(but=number), journal.holding(also=number), view_of(lists)
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
        found[missing[0]] = _real(journal, new[0])
        found |= {
            str(then[key]): _real(journal, str(now[key]))
            for key in ("chardev", "blockdev")
            if key in then and key in now
        }
    return found


def _real(journal: Journal, shown: str) -> str:
    """A name that ``Named`` shows, as the machine has it."""
    return shown.removesuffix(_OTHER) if shown.endswith(_OTHER) else journal.names.get(shown, shown)


def _but_names(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if key not in _KEYS}


def told_names(journal: Journal, number: int, output: str, lists: dict[str, Any]) -> dict[str, str]:
    """Planned name -> real name, where command ``number`` printed another one for the namespace that it made; else nothing.

    ``lists``: as ``Named`` shows them.
    """
    try:
        said = json.loads(output)
    except ValueError:
        return {}
    before, step = journal.holding(but=number), journal.steps[number - 1]
    made = [
        name for name, shown in step.changes.items() if name.startswith("namespace") and shown and name not in before
    ]
    if not isinstance(said, dict) or len(made) != 1 or not isinstance(said.get("dev"), str):
        return {}
    real = said["dev"]
    planned = {now: name for name, now in journal.names.items()}
    shown = planned.get(real, f"{real}{_OTHER}" if real in journal.names else real)
    if shown in before or shown not in view_of(lists):
        return {}  # one that was there before, or the machine does not show it
    devices = said.get("daxregion", {}).get("devices", []) if isinstance(said.get("daxregion"), dict) else []
    new = {"blockdev": said.get("blockdev"), "chardev": said.get("chardev") or (devices or [{}])[0].get("chardev")}
    then = step.changes[made[0]] or {}
    found = {made[0]: real} | {
        str(then[key]): str(now) for key, now in new.items() if key in then and isinstance(now, str)
    }
    return {name: now for name, now in found.items() if planned.get(now, None if now in journal.names else now) != name}
