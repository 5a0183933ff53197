"""The capacity balance adds up to the byte, on any machine, and its parts are what other sources say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem import fixtures
from sparsemem.doctor import diagnose, diagnose_machine, to_json
from sparsemem.doctor.balance import KINDS, PAGE_SIZES, page_array
from sparsemem.errors import SparsememError
from sparsemem.readers import read_machine
from sparsemem.readers.model import read_model
from tests.doctor.played import play
from tests.doctor.test_doctor_law import VERSIONS, descriptions

if TYPE_CHECKING:
    from sparsemem.machine.description import MachineDescription

GIB, MIB = 1 << 30, 1 << 20
BOARD = (
    "{} {}; 2G-4G ram, 8G+6G pmem; with possible_nodes=2; nd_region 0x200000000-0x37fffffff labels=1.2 target_node=1"
)


def adds_up(found: dict[str, object]) -> None:
    for balance in found["balances"]:  # type: ignore[attr-defined]
        assert sum(balance["shares"].values()) == balance["raw"], balance
        assert all(size > 0 for size in balance["shares"].values())
        assert set(balance["shares"]) <= set(KINDS)
        for part in balance["namespaces"]:
            assert sum(part["shares"].values()) == part["raw"], part
        assert sum(part["raw"] for part in balance["namespaces"]) <= balance["raw"]


@settings(max_examples=120, deadline=None)
@given(descriptions(), VERSIONS)
def test_every_balance_adds_up(description: MachineDescription, version: str | None) -> None:
    try:
        found = diagnose(description, version)
    except SparsememError:
        return
    adds_up(to_json(found))


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([("5.10", "x86_64"), ("6.1", "x86_64"), ("7.2", "x86_64"), ("5.4", "x86_64")]),
    st.lists(
        st.tuples(st.sampled_from(["fsdax", "devdax", "raw", "sector"]), st.sampled_from(["dev", "mem"]), st.integers(4, 90)), max_size=5
    ),
)  # fmt: skip
def test_what_the_tools_make_is_what_the_balance_shows(
    kernel: tuple[str, str], made: list[tuple[str, str, int]]
) -> None:
    """Second source: the sizes that ndctl prints, and the free space that the kernel's region shows."""
    commands = [
        f"ndctl create-namespace -m {mode} -s {size * 16}M" + (f" -M {where}" if mode in ("fsdax", "devdax") else "")
        for mode, where, size in made
    ]
    player = play(BOARD.format(*kernel), *commands)
    found = to_json(diagnose_machine(player.machine))
    adds_up(found)
    (balance,) = found["balances"]
    listed = json.loads(player.step("ndctl list -R", _script("ndctl list -R")).stdout)[0]
    assert balance["shares"].get("free", 0) == listed["available_size"]
    spaces = json.loads(player.step("ndctl list -N", _script("ndctl list -N")).stdout or "[]")
    spaces = [spaces] if isinstance(spaces, dict) else spaces
    assert sum(each["size"] for each in spaces) == balance["shares"].get("data", 0)
    assert balance["shares"].get("unknown", 0) == 0


def _script(text: str):  # type: ignore[no-untyped-def]
    from sparsemem.play.shell import parse_step

    return parse_step(text)


def test_ram_and_its_rims() -> None:
    player = play(
        BOARD.format("6.1", "x86_64"),
        "ndctl create-namespace -m devdax -s 2G",
        "daxctl reconfigure-device -m system-ram dax0.0",
    )
    (balance,) = diagnose_machine(player.machine).balances
    iomem = player.step("cat /proc/iomem", _script("cat /proc/iomem")).stdout
    (line,) = [each for each in iomem.splitlines() if "System RAM (kmem)" in each]
    start, end = (int(word, 16) for word in line.split(" : ")[0].split("-"))
    assert balance.share("ram") == end + 1 - start
    (dax,) = read_model(player.machine).dax
    assert balance.share("outside-blocks") == dax.size - balance.share("ram")


def test_page_arrays_by_page_size() -> None:
    """64 bytes a page: 1/64, 1/256 and 1/1024 of what they describe (ndctl's own documentation says 64 bytes for every 4 KiB)."""
    assert [page_array(1 << 40, page, 64) for page in PAGE_SIZES] == [16 * GIB, 4 * GIB, GIB]
    assert page_array(1, 4096, 64) == 64
    (balance, _) = diagnose(read_machine(fixtures.path("pmem-two-regions"))).balances
    assert dict(balance.in_ram)[4096] == 270582939648 // 64


def test_the_fixtures_add_up_and_know_what_can_not_be_told() -> None:
    for name in fixtures.names():
        adds_up(to_json(diagnose(read_machine(fixtures.path(name)))))
    listing = '[{"dev":"region0","size":8589934592,"available_size":4294967296,"type":"pmem","namespaces":[{"dev":"namespace0.0",' \
        '"mode":"fsdax","map":"dev","size":4225761280,"uuid":"a"}]}]'  # fmt: skip
    from sparsemem.readers import read_text

    iomem = read_text("00100000-7fffffff : System RAM\n", "x")
    import dataclasses

    both = read_text(listing, "ndctl.json")
    found = diagnose(dataclasses.replace(iomem, regions=both.regions, namespaces=both.namespaces), "6.1")
    (balance,) = found.balances
    # C25's numbers: a listing without addresses tells the sum of the metadata only
    assert dict(balance.shares) == {"data": 4225761280, "metadata": 66 * MIB + 0, "free": 4 * GIB}
