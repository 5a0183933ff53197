"""What real kernels answered to ndctl, daxctl and file systems on persistent memory, replayed on the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparsemem.errors import InputError

from .recordings import differences, differences_before

HERE = Path(__file__).parents[1] / "transcripts_nd"
RECORDED = sorted(path for path in HERE.glob("*@*.json"))

#: Scenarios that are compared up to their first step that is not modelled, and what that is.
PARTLY = {
    "daxops_plain_kmem": "readlink of two paths",
    "errors_busy": "a process in the background",
    "options": "ndctl inject-error",
}
#: Steps whose answers cannot be the same, by scenario, and why.
INCOMPARABLE = {
    "btt": {"ndctl check-namespace -v namespace0.0": "addresses of mmap()"},
    "listing_empty": {"ls /sys/bus": "the other buses of the guest"},
    "modes": {"dmesg | wc -l": "the boot log is not modelled"},
    "write_infoblock": {"ndctl write-infoblock -c -o /tmp/d -s 64M": "a random uuid among bytes"},
}
_RACE = "the devices of a region are probed in parallel: who gets which seed is the guest's luck"
#: Answers that differ still, by scenario or recording: a step, and the reason.
DIFFERENT: dict[str, dict[str, str]] = {
    "daxops_plain_kmem@5.10": {
        'cd /sys/bus/dax/devices/dax0.0/; for f in *; do [ -f $f ] && echo "$f=$(cat $f 2>&1)"; done': "its minor number"
    },
    "enable_order@6.1": {"ls /sys/bus/nd/devices": _RACE},
    "enable_order@6.12": {"ls /sys/bus/nd/devices": _RACE},
    "tool_infoblock@6.12": {"ndctl read-infoblock -v all -j": _RACE},
    "unbind@6.12": {"for i in /sys/bus/nd/devices/*; do echo ${i##*/} $(readlink $i/driver); done": _RACE},
    "legacy_beside_nfit@6.1": {"ndctl enable-region -b e820 all": _RACE},
}


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_the_model_answers_as_the_kernel_did(recorded: Path) -> None:
    name, version = recorded.stem.split("@")
    if name.startswith("virtio_pmem"):
        with pytest.raises(InputError, match="qemu"):  # a scenario has no virtio-pmem device; a layout line has
            differences(recorded.with_name(f"{name}.toml"), recorded, version)
        return
    skip = tuple(INCOMPARABLE.get(name, {}))
    known = {**DIFFERENT.get(name, {}), **DIFFERENT.get(recorded.stem, {})}
    compare = differences_before if name in PARTLY else differences
    found = compare(recorded.with_name(f"{name}.toml"), recorded, version, skip)
    assert not [each for each in found if each.step not in known]


def test_the_record_is_there() -> None:
    assert len(RECORDED) > 100
