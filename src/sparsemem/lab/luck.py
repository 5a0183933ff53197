"""What is luck in a kernel: which worker of libnvdimm comes first when a region is probed, and nothing else.

The probe of a region registers its namespaces one by one and hands each to a worker of its own (``nd_async_device_register``), then makes
the seeds of btt, pfn and dax. Each worker looks for a btt, a pfn and a dax on its namespace, and draws the lowest free number of that kind
in that region for the time of the look, as the seeds do: so the numbers after the dot are drawn in the order in which the workers come,
and their lines in the log stand in that order. It is so in all of 5.10, 6.1, 6.12 and 7.2 (drivers/nvdimm: region.c, bus.c, pfn_devs.c).
A boot is such a probe too, of the regions that have a namespace without anyone making one: what it drew stays until the region is enabled
anew, so it may first be seen steps later.

Not luck: the numbers of namespaces (one loop draws them), the lines of one device among themselves, the names of character devices (dax0.0
of namespace0.0, whatever the number of the nd device in its path), and everything that the devices are.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import permutations, product
from math import factorial, prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["NOTHING", "Probed", "probed_at_boot", "probed_by", "same_but_for_numbers", "same_but_for_order"]

_PROBES = re.compile(r"\benable-region\b|/nd_region/bind\b")
_NAMESPACE = re.compile(r'"namespace(\d+)\.\d+"')
_REGION = re.compile(r"\bregion(\d+)\b")
_LOGGED = re.compile(r"(?<!device_dax )(?<!kmem )\b(dax|pfn|btt)(\d+)\.\d+\b")
_DRAWN = re.compile(r"(?P<before>\bregion\d+\\?/)(?P<name>(?P<kind>dax|pfn|btt)(?P<region>\d+)\.\d+)\b")
_FIXED = re.compile(r"\b(?:namespace|pmem|nmem)\d+(?:\.\d+)?|\bregion\d+")
_MOST = 5040


@dataclass(frozen=True, slots=True)
class Probed:
    """Regions whose numbers were drawn by workers: those with the numbers in ``regions``, or every one."""

    regions: frozenset[str] = frozenset()
    every: bool = False

    def __bool__(self) -> bool:
        return self.every or bool(self.regions)

    def __contains__(self, region: str) -> bool:
        return self.every or region in self.regions

    def __or__(self, other: Probed) -> Probed:
        return Probed(self.regions | other.regions, self.every or other.every)


NOTHING = Probed()


def probed_by(command: str) -> Probed:
    """The regions that a step probes, which may have namespaces already."""
    if _PROBES.search(command) is None:
        return NOTHING
    named = frozenset(_REGION.findall(command))
    return Probed(named, every=not named)


def probed_at_boot(listed: str) -> Probed:
    """The regions with a namespace before the first step; ``listed`` is what ``ndctl list`` shows then."""
    return Probed(frozenset(_NAMESPACE.findall(listed)))


def same_but_for_order(probed: Probed, kernel: Sequence[str], model: Sequence[str]) -> bool:
    """Whether two logs are those of the same workers: each device's lines are in the same order, the drawn numbers aside."""
    if not probed:
        return False

    def bare(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}.N" if match[2] in probed else match[0]

    sides = [[_LOGGED.sub(bare, line) for line in lines] for lines in (kernel, model)]
    if sorted(sides[0]) != sorted(sides[1]):
        return False
    devices = {name for line in sides[0] for name in _FIXED.findall(line)}
    return all(
        [line for line in sides[0] if name in _FIXED.findall(line)]
        == [line for line in sides[1] if name in _FIXED.findall(line)]
        for name in devices
    )


def same_but_for_numbers(probed: Probed, kernel: Sequence[str], model: Sequence[str]) -> bool:
    """Whether both show the same machine once the drawn numbers of one side are exchanged for those of the other, one for one.

    The texts are JSON, of ndctl or daxctl; a list may then be in another order, for daxctl goes by number.
    """
    if not probed:
        return False
    ours = [_parsed(text) for text in model]
    return any(
        [_parsed(_exchanged(text, names)) for text in kernel] == ours
        for names in _exchanges(_drawn(probed, kernel), _drawn(probed, model))
    )


def _exchanged(text: str, names: dict[str, str]) -> str:
    return _DRAWN.sub(lambda match: f"{match['before']}{names.get(match['name'], match['name'])}", text)


def _drawn(probed: Probed, texts: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    found = {match["name"]: match for text in texts for match in _DRAWN.finditer(text)}
    names: dict[tuple[str, str], list[str]] = {}
    for name, match in sorted(found.items()):
        if match["region"] in probed:
            names.setdefault((match["kind"], match["region"]), []).append(name)
    return names


def _exchanges(
    kernel: dict[tuple[str, str], list[str]], model: dict[tuple[str, str], list[str]]
) -> Iterator[dict[str, str]]:
    """Every way to exchange names within a kind and a region, but for the one that leaves all as they are."""
    if {key: len(names) for key, names in kernel.items()} != {key: len(names) for key, names in model.items()}:
        return
    if prod(factorial(len(names)) for names in kernel.values()) > _MOST:
        return
    keys = sorted(kernel)
    for choice in product(*(permutations(model[key]) for key in keys)):
        names = {
            old: new
            for key, others in zip(keys, choice, strict=True)
            for old, new in zip(kernel[key], others, strict=True)
        }
        if any(old != new for old, new in names.items()):
            yield names


def _parsed(text: str) -> Any:
    try:
        return _sorted(json.loads(text))
    except ValueError:
        return text.splitlines()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted((_sorted(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
    return value
