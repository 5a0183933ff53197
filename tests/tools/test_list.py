"""ndctl list on the tree of a guest with four regions (legacy, labelled, disabled), held to what the real ndctl 76.1 printed there."""

from __future__ import annotations

import shlex
from functools import cache

import pytest

from sparsemem.errors import NotModelledError
from sparsemem.tools.ndctl import main
from sparsemem.tools.result import Console
from tests.tools.recorded_tree import RecordedTree, difference, steps

STEPS = steps("list@6.12")
DUMP = next(number for number, step in enumerate(STEPS) if str(step["command"]).startswith("for d in"))
START = 1 + max(n for n in range(DUMP) if not str(STEPS[n]["command"]).startswith("ndctl list"))


@cache
def tree() -> RecordedTree:
    return RecordedTree(str(STEPS[DUMP]["stdout"]))


def ndctl(line: str, version: int = 76, *, changes: dict[str, str | None] | None = None) -> str:
    """The output; ``changes`` are files of the tree that read otherwise."""
    seen = RecordedTree(str(STEPS[DUMP]["stdout"]))
    for path, text in (changes or {}).items():
        seen.files[path] = text
        seen._add(path)
    return main(seen, shlex.split(line), version=(version,)).output


@pytest.mark.parametrize("step", STEPS[START:DUMP], ids=lambda step: str(step["command"])[6:60])
def test_as_the_real_tool(step: dict[str, object]) -> None:
    assert difference(main(tree(), shlex.split(str(step["command"]))[1:]), step) == ""


def test_enough_was_recorded() -> None:
    outputs = "".join(str(step["stdout"]) for step in STEPS[START:DUMP])
    assert DUMP - START > 130
    for word in ("sector", "raw", "devdax", "fsdax", "daxregion", "raw_uuid", "capabilities", "mappings", '"disabled"'):
        assert word in outputs


def test_only_people_see_one_object_bare() -> None:
    assert ndctl("list -r region1 -u").startswith("{")
    assert ndctl("list -r region1").startswith("[")
    assert main(tree(), ["list", "-r", "region1", "-u"], Console(tty=False)).stdout.startswith("{")


BUS = "/sys/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus1"


@pytest.mark.parametrize(
    ("path", "text", "line", "shown"),
    [
        ("nmem0/nfit/flags", "not_armed save_fail flush_fail smart_event restore_fail map_fail \n", "list -d nmem0",
         ["flag_failed_map", "flag_failed_save", "flag_failed_arm", "flag_failed_restore", "flag_failed_flush", "flag_smart_event"]),
        ("nmem0/nfit/flags", "not_armed", "list -d nmem0", []),
        ("nmem0/security", "locked\n", "list -d nmem0", ["security"]),
        ("nmem0/security", "frozen\n", "list -d nmem0", ["security", "security_frozen"]),
        ("nmem0/frozen", "1\n", "list -d nmem0", ["security_frozen"]),
        ("nfit/scrub", "7\n", "list -b 1", ["scrub_state"]),
        ("nfit/scrub", "7+\n", "list -b 1", ["scrub_state"]),
        ("region1/persistence_domain", "memory_controller flush\n", "list -r 1", []),
    ],
)  # fmt: skip
def test_fields_that_the_guest_did_not_have(path: str, text: str, line: str, shown: list[str]) -> None:
    """util_dimm_to_json(), util_bus_to_json(): a field only where there is something to say."""
    plain, changed = ndctl(line), ndctl(line, changes={f"{BUS}/{path}": text})
    words = [each.split('"')[1] for each in changed.splitlines() if each not in plain.splitlines() and '"' in each]
    assert [word for word in words if word in shown or word.startswith(("flag", "sec", "scrub"))] == shown
    if "persistence" in path:
        assert '"persistence_domain":"memory_controller"' in changed
    if text == "7+\n":
        assert '"scrub_state":"active"' in changed


def test_bad_blocks() -> None:
    """Counted always, listed with -M; the DIMM of a region that is not interleaved is named, offsets are the device's own."""
    one = {f"{BUS}/region1/badblocks": "4096 8\n100000 1\n"}
    assert '"badblock_count":9' in ndctl("list -r region1", changes=one)
    assert '"badblocks"' not in ndctl("list -r region1", changes=one)
    listed = ndctl("list -RM -r region1", changes=one)
    assert '"offset":4096,\n        "length":8,\n        "dimms":[\n          "nmem0"\n        ]' in listed
    namespace = ndctl("list -M -n namespace1.0", changes={f"{BUS}/region1/badblocks": "4096 8\n"})
    data = int(str(tree().files[f"{BUS}/region1/pfn1.0/resource"]), 0)
    region = int(str(tree().files[f"{BUS}/region1/resource"]), 0)
    inside = 4096 * 512 + region >= data
    assert ('"badblock_count":8' in namespace) is inside
    if inside:
        assert f'"offset":{(4096 * 512 + region - data) // 512}' in namespace


def test_cookies_above_int64() -> None:
    """json_object_get_int64() clamps what util_json_object_hex() prints from v73 to v78; before v73 plain numbers were signed."""
    high = {f"{BUS}/region1/set_cookie": "0xfedcba9876543210\n"}
    shown = {version: ndctl("list -Ru -r region1", version, changes=high) for version in (71, 76, 79)}
    assert '"iset_id":"0x7fffffffffffffff"' in shown[76]
    assert all('"iset_id":"0xfedcba9876543210"' in shown[version] for version in (71, 79))
    assert '"iset_id":18364758544493064720' in ndctl("list -R -r region1", 76, changes=high)
    assert '"iset_id":-81985529216486896' in ndctl("list -R -r region1", 71, changes=high)


def test_seeds_that_are_missing() -> None:
    changes: dict[str, str | None] = {f"{BUS}/region1/btt_seed": None}
    assert "capabilities" not in ndctl("list -RC -r region1", 76, changes=changes)
    assert '"capabilities":[\n      {\n        "mode":"fsdax"' in ndctl("list -RC -r region1", 81, changes=changes)


FIELDS = {  # field -> (line, the first release that prints it)
    "map": ("list -n namespace1.0", 61),
    "align": ("list -n namespace1.0", 64),
    "max_available_extent": ("list -r region1", 62),
    "persistence_domain": ("list -r region1", 60),
    "capabilities": ("list -RC -r region1", 65),
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("version", [60, 61, 62, 64, 65, 67, 68, 71, 76, 81, 85])
def test_fields_by_release(field: str, version: int) -> None:
    line, since = FIELDS[field]
    assert (f'"{field}"' in ndctl(line, version)) is (version >= since)


def test_the_region_align_by_release() -> None:
    assert '"align"' in ndctl("list -r region1", 68)
    assert '"align"' not in ndctl("list -r region1", 67)


def test_what_was_not_for_the_verbose_only() -> None:
    """Up to v61 raw_uuid and numa_node are always there, in v60 also a null raw_uuid."""
    for version, shown in ((60, True), (61, True), (62, False), (76, False)):
        text = ndctl("list -n namespace1.0", version)
        assert ('"raw_uuid"' in text) is shown
        assert ('"numa_node"' in text) is shown
    legacy = [ndctl("list -n namespace0.0", version) for version in (60, 61)]
    assert ['"raw_uuid":"00000000-0000-0000-0000-000000000000"' in text for text in legacy] == [True, False]


@pytest.mark.parametrize(("switch", "since"), [("C", 65), ("c", 68), ("v", 62)])
def test_switches_by_release(switch: str, since: int) -> None:
    assert f"unknown switch `{switch}'" in ndctl(f"list -{switch}", since - 1)
    assert "unknown switch" not in ndctl(f"list -{switch}", since)


@pytest.mark.parametrize(
    ("line", "word"), [("list -DF", "firmware"), ("list -DH", "health"), ("list -vvv", "firmware")]
)
def test_what_takes_a_dsm_says_so(line: str, word: str) -> None:
    with pytest.raises(NotModelledError, match=word):
        ndctl(line, changes={f"{BUS}/nmem0/nfit/dsm_mask": "0xffff\n"})
