"""What changed among persistent memory: namespaces, regions, DIMMs, labels, dax devices and mounts, in lines for a reader."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sparsemem.kernel.dax.types import DevDax
from sparsemem.kernel.nvdimm.types import NdBtt, NdNamespace, NdPfn, NdRegion, Nvdimm
from sparsemem.ranges import Range, format_range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparsemem.kernel.fs.mount import Mount
    from sparsemem.kernel.state import State

    Look = Callable[[str], Any]

__all__ = ["nd_changes"]

_LABEL = ":label"


def nd_changes(state: State, touched: dict[str, list[Any]], was: Callable[[str, Any], Any]) -> Iterator[str]:
    """Lines for the tables "nd", "media", "dax" and the mounts. ``was``: what a table held under a key before."""
    yield from _devices(state, touched.get("nd", []), was)
    yield from _dax(state, touched.get("dax", []), was)
    yield from _media(touched.get("media", []))
    if "mounts" in touched.get("misc", []):
        yield from _mounts(was("misc", "mounts") or (), state.misc.get("mounts", ()))


def _devices(state: State, keys: list[str], was: Callable[[str, Any], Any]) -> Iterator[str]:
    def before(key: str) -> Any:
        return was("nd", key)

    names: set[str] = set()
    for key in keys:
        for dev in (before(key), state.nd.get(key)):
            if isinstance(dev, NdNamespace):
                names.add(key)
            elif isinstance(dev, NdPfn | NdBtt) and dev.ndns:
                names.add(dev.ndns)
    for key in sorted(keys, key=_natural):
        old, new = before(key), state.nd.get(key)
        if isinstance(new or old, NdRegion | Nvdimm):
            yield from _differs(key, _bound(old), _bound(new))
    for key in sorted(names, key=_natural):
        yield from _differs(key, _namespace(before(key), before), _namespace(state.nd.get(key), state.nd.get))


def _natural(key: str) -> tuple[str, list[int]]:
    head = key.rstrip("0123456789.")
    return head, [int(part) for part in key[len(head) :].split(".") if part]


def _differs(name: str, old: str, new: str) -> Iterator[str]:
    if old != new:
        yield f"{name}: {new}" if old == "gone" else f"{name}: {old} -> {new}"


def _bound(dev: NdRegion | Nvdimm | None) -> str:
    if dev is None:
        return "gone"
    text = "enabled" if dev.driver else "disabled"
    return f"{text}, align {format_size(dev.align)}" if isinstance(dev, NdRegion) else text


def _namespace(dev: NdNamespace | None, look: Look) -> str:
    if dev is None or not dev.size:
        return "gone"
    owner: NdNamespace | NdPfn | NdBtt = (look(dev.claim) if dev.claim else None) or dev
    mode = "raw"
    if isinstance(owner, NdPfn):
        mode = f"{'fsdax' if owner.type == 'pfn' else 'devdax'} map={'dev' if owner.mode == 'pmem' else 'mem'}"
    elif isinstance(owner, NdBtt):
        mode = f"sector {owner.lbasize or 4096}"
    name = f" {dev.alt_name!r}" if dev.alt_name else ""
    place = format_range(Range(dev.start, dev.start + dev.size)) if dev.start >= 0 else "nowhere"
    state = f"as {owner.disk}" if owner.disk else "enabled" if owner.driver or dev.driver else "disabled"
    return f"{mode}{name} {format_size(dev.size)} at {place}, {state}"


def _dax(state: State, keys: list[str], was: Callable[[str, Any], Any]) -> Iterator[str]:
    def text(dev: Any) -> str:
        if not isinstance(dev, DevDax) or not dev.size:
            return "gone"
        mode = {"device_dax": "devdax", "kmem": "system-ram"}.get(dev.driver, dev.driver or "disabled")
        return f"{mode} {format_size(dev.size)}"

    for key in sorted(keys):
        if isinstance(state.dax.get(key), DevDax) or isinstance(was("dax", key), DevDax):
            yield from _differs(key, text(was("dax", key)), text(state.dax.get(key)))


def _media(keys: list[tuple[str, int]]) -> Iterator[str]:
    for medium, count in sorted(Counter(name for name, _ in keys).items()):
        if medium.endswith(_LABEL):
            yield f"labels of {medium.removesuffix(_LABEL)}: {count} slots or index blocks changed"
        elif not medium.startswith("nmem"):  # the driver's copy of an index is no medium
            pages = "page" if count == 1 else "pages"
            yield f"medium of {medium}: {count} {pages} changed"


def _mounts(old: tuple[Mount, ...], new: tuple[Mount, ...]) -> Iterator[str]:
    yield from (f"mount - /dev/{m.disk} on {m.directory}" for m in old if m not in new)
    yield from (f"mount + /dev/{m.disk} on {m.directory} type {m.type} ({m.options})" for m in new if m not in old)
