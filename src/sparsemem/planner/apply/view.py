"""What a machine shows, as one value to compare: ``ndctl list -R -N -i`` and ``daxctl list -D -i`` without what is random or empty,
CXL regions (``cxl list -R -T -i``) where a plan is about them, and the memory blocks that it changes.

A ``View`` maps a device to what is shown of it. Seeds (namespaces and dax devices of size 0) are left out: the kernel makes and keeps
them as it likes. Uuids are apart (``uuids_of``): they are random, and so they say *which* namespace it is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sparsemem.planner.memory.intent import runs, runs_name
from sparsemem.planner.shows import DEVICE_KEYS, NAMESPACE_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sparsemem.planner.plan import Expectation

__all__ = [
    "CXL", "MEMORY", "POLICY", "SYSFS", "WATCH", "View", "changes", "devices_of", "differences", "relevant", "same_thing", "show_words",
    "sysfs_of", "unmet", "uuids_of", "view_of", "watched",
]  # fmt: skip

View = dict[str, dict[str, Any]]

CXL = "cxl"
"""The tool, and the view's prefix of CXL regions: ``cxl:region0`` beside libnvdimm's ``region0``."""

POLICY = "auto_online_blocks"
"""The view's name of the kernel's policy, which some plans set and set back."""

SYSFS = "sysfs"
"""What no list shows: where devices begin, and of regions their DIMMs and whether they have labels."""
MEMORY = "memory"
"""What is observed of memory blocks: number -> "offline" or "online in Movable"."""
WATCH = "watch"
"""The runs of blocks (first, last + 1) that a view is to have: those of the plan."""

_KEYS = {
    "namespace": (*NAMESPACE_KEYS, "state"), "region": ("size", "state"), "dax": (*DEVICE_KEYS, "state"),
    CXL: ("size", "interleave_ways", "interleave_granularity", "memdevs", "decode_state", "state"),
}  # fmt: skip
_SAME = ("mode", "size", "policy", "memory", "interleave_ways", "interleave_granularity", "memdevs", "decode_state")


def _walk(document: Any, key: str) -> Iterator[dict[str, Any]]:
    if isinstance(document, dict):
        if isinstance(document.get(key), str):
            yield document
        document = list(document.values())
    if isinstance(document, list):
        for each in document:
            yield from _walk(each, key)


def devices_of(lists: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(kind, name, what is shown), without seeds."""
    for tool, key in (("ndctl", "dev"), ("daxctl", "chardev")):
        for shown in _walk(lists.get(tool), key):
            name = str(shown[key])
            kind = next((kind for kind in _KEYS if name.startswith(kind)), None)
            if kind is not None and (kind == "dax") == (tool == "daxctl") and (shown.get("size") or kind == "region"):
                yield kind, name, shown
    for shown in _walk(lists.get(CXL), "region"):
        targets = sorted(shown.get("mappings", ()), key=lambda each: int(each.get("position", 0)))
        yield (
            CXL,
            f"{CXL}:{shown['region']}",
            {**shown, "memdevs": " ".join(str(each.get("memdev")) for each in targets)},
        )


def relevant(lists: Mapping[str, Any], commands: Iterable[Sequence[str]]) -> dict[str, Any]:
    """What of an observation is compared: CXL regions only where the commands are about them, else libnvdimm's say it all; and the
    memory blocks of ``chmem`` commands."""
    commands = tuple(commands)
    about = any(argv[0] == CXL for argv in commands)
    return {**{key: document for key, document in lists.items() if key != CXL or about}, WATCH: watched(commands)}


def view_of(lists: Mapping[str, Any]) -> View:
    """The view of what a runner observed: the documents of the tools, and ``auto_online_blocks`` (None: unreadable)."""
    view: View = {}
    for kind, name, shown in devices_of(lists):
        view[name] = {key: shown[key] for key in _KEYS[kind] if key in shown}
    if lists.get(POLICY):
        view[POLICY] = {"policy": str(lists[POLICY]).strip()}
    for first, end in lists.get(WATCH) or ():
        view[runs_name(first, end)] = {"memory": _memory(lists, range(first, end))}
    return view


def sysfs_of(lists: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Device -> attribute -> its text, of those that a runner reads from sysfs."""
    found: dict[str, dict[str, str]] = {}
    for line in str(lists.get(SYSFS) or "").splitlines():
        path, _, value = line.partition(":")
        parts = path.split("/")
        if len(parts) > 1 and value:
            found.setdefault(parts[-2], {})[parts[-1]] = value.strip()
    return found


def _memory(lists: Mapping[str, Any], numbers: Iterable[int]) -> str:
    """``online in Movable`` where that is so of all, else ``33-35 online in Movable, 36 offline``."""
    shown = lists.get(MEMORY) or {}
    words: dict[str, list[int]] = {}
    for number in numbers:
        words.setdefault(shown.get(number, "missing"), []).append(number)
    if len(words) == 1:
        return next(iter(words))
    parts = sorted((first, end, word) for word, each in words.items() for first, end in runs(each))
    return ", ".join(f"{first}{f'-{end - 1}' if end - first > 1 else ''} {word}" for first, end, word in parts)


def uuids_of(lists: Mapping[str, Any]) -> dict[str, str]:
    """Namespace -> its uuid."""
    return {
        name: str(shown["uuid"]) for kind, name, shown in devices_of(lists) if kind == "namespace" and "uuid" in shown
    }


def watched(argvs: Iterable[Sequence[str]]) -> list[tuple[int, int]]:
    """The blocks of ``chmem`` commands as runs, cut so that each command is about whole ones."""
    spans = []
    for argv in argvs:
        if argv and argv[0] == "chmem":
            first, _, last = argv[-1].partition("-")
            spans.append((int(first), int(last or first) + 1))
    cuts = sorted({number for span in spans for number in span})
    return [(a, b) for a, b in pairwise(cuts) if any(first <= a and b <= end for first, end in spans)]


def changes(before: View, after: View) -> dict[str, dict[str, Any] | None]:
    """What differs afterwards; None for what is gone."""
    names = [*before, *(name for name in after if name not in before)]
    return {name: after.get(name) for name in names if before.get(name) != after.get(name)}


def show_words(shown: Mapping[str, Any] | None) -> str:
    """``mode raw, size 67108864, state disabled``; "not there" for None."""
    if shown is None:
        return "not there"
    return ", ".join(
        f"{key} {str(value).lower() if isinstance(value, bool) else value}" for key, value in shown.items()
    )


def differences(found: View, wanted: View, names: Iterable[str] | None = None) -> list[str]:
    """A sentence for each device (of ``names``) that is not as it should be."""
    out = []
    for name in changes(wanted, found) if names is None else names:
        now, then = found.get(name), wanted.get(name)
        if now == then:
            continue
        if now is None or then is None:
            out.append(f"{name} is {show_words(now)}" if now is None else f"{name} is there: {show_words(now)}")
            continue
        keys = [key for key in (*then, *(key for key in now if key not in then)) if now.get(key) != then.get(key)]
        words = [f"{key} is {now.get(key, 'missing')}, not {then.get(key, 'shown')}" for key in keys]
        out.append(f"{name}: {'; '.join(words)}")
    return out


def unmet(expect: Iterable[Expectation], lists: Mapping[str, Any]) -> list[str]:
    """What of a command's expectations does not hold: one sentence each."""
    shown = {name: each for _, name, each in devices_of(lists)}
    out = []
    for each in expect:
        name = f"{CXL}:{each.dev}" if each.tool == CXL else each.dev
        now = shown.get(name)
        if each.tool == "lsmem":
            first, _, last = each.dev.replace("memory", "").partition("-")
            now = {"memory": _memory(lists, range(int(first), int(last or first) + 1))}
        if each.shows is None or now is None:
            if (each.shows is None) != (now is None):
                out.append(f"{name} is {'still' if now else 'not'} there")
            continue
        wrong = [key for key, value in each.shows.items() if now.get(key) != value]
        words = [f"{key} is {now.get(key, 'missing')}, not {each.shows[key]}" for key in wrong]
        if words:
            out.append(f"{name}: {'; '.join(words)}")
    return out


def same_thing(now: Mapping[str, Any] | None, then: Mapping[str, Any] | None) -> bool:
    """Is it still what it was, in what decides whose data it holds: mode and size (and a policy, and where memory blocks are; of a CXL
    region, what it is made of)?"""
    if now is None or then is None:
        return now is None and then is None
    return all(now.get(key) == then.get(key) for key in _SAME)
