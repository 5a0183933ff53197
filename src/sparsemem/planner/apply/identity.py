"""Which device is which: a name is the kernel's choice of this boot, a uuid or an address is not.

An *identity* is a namespace's uuid, the namespace that a dax device is in, and where a region, a namespace or a dax device begins. The
journal keeps those of everything that was there and of everything that the plan made; before a journal is gone on with, each is looked for
among what is there now. Linux numbers namespaces by their place in the label area and dax devices as they are probed, so a reboot (or
``ndctl disable-region``, ``enable-region``) may give each of them another's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.planner.apply.view import devices_of, sysfs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sparsemem.planner.apply.journal import Journal

__all__ = ["Identity", "facts_of", "find_names", "identities", "wrong_facts"]

Identity = dict[str, str]
"""``uuid``; ``label``: that of a namespace's label, which stays when its info block goes; ``in``: the namespace of a dax device;
``start``: a physical address, hexadecimal; what is not known is left out."""

_NO_UUID = "00000000-0000-0000-0000-000000000000"
_FACTS = {
    "align": "ndctl", "iset_id": "ndctl", "persistence_domain": "ndctl", "mappings": "sysfs", "nstype": "sysfs", "resource": "sysfs",
}  # fmt: skip
"""What of a region a plan relies on, and who tells it."""
_FROM_MODEL = ("align", "mappings", "nstype", "resource")
"""What the model tells of a region that was read from its files, too: the rest is only remembered."""
_WORDS = {
    "align": "align", "iset_id": "interleave set", "persistence_domain": "persistence domain", "mappings": "number of DIMMs",
    "resource": "address",
}  # fmt: skip
_TYPES = {"4": "without labels", "5": "with labels", "6": "of block apertures"}
"""``nstype`` of include/uapi/linux/ndctl.h: a region has labels when the namespaces that it makes are ND_DEVICE_NAMESPACE_PMEM."""


def identities(lists: Mapping[str, Any]) -> dict[str, Identity]:
    """Region, namespace or dax device -> its identity, from what a runner observed; without what has none."""
    sysfs, found, inside = sysfs_of(lists), {}, {}
    for kind, name, shown in devices_of(lists):
        one: Identity = {}
        if kind == "namespace" and shown.get("uuid") not in (None, _NO_UUID):
            one["uuid"] = str(shown["uuid"])
        if kind == "namespace" and isinstance(shown.get("chardev"), str):
            inside[str(shown["chardev"])] = name
        if kind == "namespace" and sysfs.get(name, {}).get("uuid", _NO_UUID) != _NO_UUID:
            one["label"] = sysfs[name]["uuid"]
        start = sysfs.get(name, {}).get("resource")
        if start:
            one["start"] = start
        if kind == "region" and shown.get("iset_id"):
            one["uuid"] = str(shown["iset_id"])
        found[name] = one
    for device, name in inside.items():
        if device in found:
            found[device]["in"] = name
    return {name: one for name, one in found.items() if one}


def facts_of(lists: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Region -> what of it a plan relies on, beside its size and state."""
    sysfs, found = sysfs_of(lists), {}
    for kind, name, shown in devices_of(lists):
        if kind == "region":
            told = {"ndctl": shown, "sysfs": sysfs.get(name, {})}
            found[name] = {key: str(told[source][key]) for key, source in _FACTS.items() if key in told[source]}
    return found


def wrong_facts(
    then: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]], *, model: bool, labels: bool = True
) -> list[str]:
    """A sentence for each fact of a region that is another now. ``model``: ``then`` is the model's, which does not know all;
    ``labels``: whether the region has labels counts, too."""
    keys = _FROM_MODEL if model else tuple(_FACTS)
    out = []
    for name, facts in then.items():
        for key in keys:
            old, new = facts.get(key), now.get(name, {}).get(key)
            if old is None or new is None or old == new or (key == "nstype" and not labels):
                continue
            if key == "nstype":
                out.append(
                    f"{name} is {_TYPES.get(new, f'of type {new}')} now; it was {_TYPES.get(old, f'of type {old}')}"
                )
            else:
                out.append(f"{name}: its {_WORDS[key]} is {new}, not {old}")
    return out


def find_names(
    journal: Journal, lists: Mapping[str, Any], only: Iterable[str] | None = None
) -> tuple[dict[str, str], list[str]]:
    """Planned name -> its name now, where that changed since the journal was written; and, a sentence each, the names that mean
    something else now and whose own device is gone (of those in ``only``). ``lists``: as the machine names things."""
    there, names = identities(lists), journal.names
    kinds = {name: kind for kind, name, _ in devices_of(lists)}
    found: dict[str, str] = {}
    wrong: list[str] = []
    flying = journal.flying()
    known = journal.known()
    for name in sorted(known, key=lambda each: ("region", "namespace", "dax").index(_kind(each))):
        wanted, now = known[name], names.get(name, name)
        if "in" in wanted:
            parent = wanted["in"]
            wanted = {**wanted, "in": found.get(parent, names.get(parent, parent))}
        same = [real for real, one in there.items() if kinds.get(real) == _kind(name) and _is(one, wanted)]
        if same:
            real = now if now in same else same[0]
            if real != now:
                found[name] = real
        elif name not in flying and now in there and (only is None or name in only):
            wrong.append(_another(now, there[now], wanted))
    return found, wrong


def _kind(name: str) -> str:
    return next((kind for kind in ("region", "namespace", "dax") if name.startswith(kind)), "dax")


def _is(one: Identity, wanted: Identity) -> bool:
    """The first that both have decides."""
    for key in ("in", "uuid", "start"):
        if key in wanted and key in one:
            return one[key] == wanted[key]
    return False


def _another(name: str, one: Identity, wanted: Identity) -> str:
    kind = {"region": "region", "namespace": "namespace"}.get(_kind(name), "device")
    for key, words in (("in", "it is in"), ("uuid", "its uuid is"), ("start", "it begins at")):
        if key in wanted and key in one:
            words = words.replace("uuid", "interleave set") if kind == "region" else words
            return f"{name} is another {kind} now: {words} {one[key]}, not {wanted[key]}"
    return f"{name} can not be told from another {kind}: neither its uuid nor its address is shown"
