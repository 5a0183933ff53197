"""The two forms of an intent: what is read, that printing and reading agree, and that every error says where and what to write."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsemem.errors import InputError, UnreadableError
from sparsemem.planner import Amount, Intent, Item, load_intent, parse_intent
from sparsemem.planner.toml_intent import read_intent

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30


@pytest.mark.parametrize(
    "text", ["fsdax 24G", "fsdax 24g", "fsdax 24GiB", "FSDAX 24GB", "fsdax 25769803776", "24G fsdax on Region0"]
)
def test_the_same_size_in_other_words(text: str) -> None:
    assert parse_intent(text).items[0].amount == Amount("raw", 24 * GIB)


def test_what_the_issue_writes() -> None:
    assert parse_intent("2 x fsdax 24G, rest devdax") == Intent(
        (Item(mode="fsdax", amount=Amount("raw", 24 * GIB), count=2), Item(mode="devdax", amount=Amount("rest")))
    )
    found = parse_intent("fsdax usable 100G name=db on region0, 30% devdax map=mem align=1G, rest system-ram")
    assert found.items == (
        Item(mode="fsdax", amount=Amount("usable", 100 * GIB), name="db", where=("region0",)),
        Item(mode="devdax", amount=Amount("percent", share=Fraction(3, 10)), map="mem", align=GIB),
        Item(mode="system-ram", amount=Amount("rest")),
    )
    assert parse_intent("system-ram, all whole blocks") == parse_intent("rest system-ram")
    assert parse_intent("replace all").replace == ("all",)
    assert parse_intent("replace namespace0.0 namespace0.1, raw 16M").replace == ("namespace0.0", "namespace0.1")


_NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12).filter(
    lambda text: (
        bool(text.strip()) and text.isprintable() and not ('"' in text and "'" in text) and len(text.encode()) < 64
    )
)
_AMOUNTS = st.one_of(
    st.builds(Amount, st.sampled_from(("raw", "usable")), st.integers(4096, (1 << 52) - 1)),
    st.integers(1, 10000).map(lambda n: Amount("percent", share=Fraction(n, 10000))),
    st.just(Amount("rest")),
)


@st.composite
def items(draw: st.DrawFn) -> Item:
    mode = draw(st.sampled_from(("fsdax", "devdax", "sector", "raw", "system-ram")))
    dax = mode in ("fsdax", "devdax", "system-ram")
    places = st.sampled_from(("region0", "region7", "node0", "node1", "dax_region2"))
    return Item(
        mode=mode, amount=draw(_AMOUNTS), count=draw(st.integers(1, 4096)), name=draw(st.none() | _NAMES),
        map=draw(st.sampled_from((None, "dev", "mem"))) if dax else None,
        align=draw(st.sampled_from((None, 4096, 1 << 21, GIB))) if dax else None,
        sector_size=draw(st.sampled_from((None, 512, 520, 4096))) if mode != "system-ram" else None,
        where=tuple(draw(st.lists(places, unique=True, max_size=2))),
        movable=draw(st.booleans()) if mode == "system-ram" else True,
    )  # fmt: skip


_DEVICES = st.lists(st.sampled_from(("namespace0.0", "namespace1.12", "dax3.0")), unique=True, max_size=3)


@given(st.builds(Intent, st.lists(items(), min_size=1, max_size=4).map(tuple), _DEVICES.map(tuple) | st.just(("all",))))
def test_reading_what_was_printed_gives_the_same(intent: Intent) -> None:
    assert parse_intent(str(intent)) == intent


WRONG = [
    ("", None, "2 x fsdax 24G"),
    ("fsdax", 1, '"fsdax 24G"'),
    ("fsdax 24G, 3G", 12, "one of fsdax"),
    ("fsdax 24G 3G", 11, "commas"),
    ("fsdax devdax 3G", 7, "commas"),
    ("memory 24G", 1, "write fsdax"),
    ("fsdax 24Q", 7, "modes"),
    ("fsdax usable", 13, "usable 100G"),
    ("fsdax 1G on", 12, "on region0"),
    ("fsdax 1G on here", 13, "on region0"),
    ("fsdax 120%", 7, "at most 100%"),
    ("fsdax 1G map=ram", 10, "map=dev"),
    ("fsdax 1G foo=1", 10, "known are"),
    ("fsdax 1G align=1X", 10, "binary unit"),
    ("fsdax 1G name=a name=b", 17, "once"),
    ("sector 1G map=mem", 1, "leave it out"),
    ("raw 1G align=2M", 1, "leave it out"),
    ("fsdax 1G movable", 1, "leave it out"),
    ("0 x fsdax 1G", 1, "a count from 1"),
    ("system-ram all whole things", 22, "all whole blocks"),
    (f"fsdax 1G name={'x' * 64}", 1, "shorter"),
    ("fsdax 24", 7, "write 24G, 24M or 24%"),
    ("fsdax usable 24", 14, "write 24G, 24M or 24%"),
    ("fsdax 24 GB", 7, "write 24GB"),
    ("50 % fsdax", 1, "write 50%"),
    ("fsdax 1.5G", 7, "write 1536M"),
    ("fsdax 0.3T", 7, "write 314572M"),
    ("fsdax 24Gi", 7, "write 24G"),
    ("fsdax -1G", 7, "modes"),
    ("fsdax 0", 7, "24G"),
    ("fsdax 1" + "0" * 30, 7, "binary unit"),
    ("1" + "0" * 30 + " x fsdax 1G", 1, "a count from 1"),
    ("\u00b2 x fsdax 1G", 1, "modes"),
    ("fsdax \uff11G", 7, "modes"),
    ("fsdax rest rest", 12, "commas"),
    ("fsdax 1G align=0", 10, "align=2M"),
    ('fsdax 1G name="my data', 15, 'name="my data"'),
    ("fsdax 1G name=it's", 17, 'name="my data"'),
    (",,,", None, "2 x fsdax 24G"),
    ("replace", 1, "replace namespace0.0"),
    ("replace pmem0", 9, "replace namespace0.0"),
    ("keep, replace all, fsdax 1G", None, "leave keep out"),
]


@pytest.mark.parametrize(("text", "column", "remedy"), WRONG)
def test_an_error_says_where_and_what_to_write(text: str, column: int | None, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_intent(text)
    assert caught.value.where == ("intent" if column is None else f"intent, column {column}")
    assert remedy in (caught.value.remedy or "")


TOML = """
replace = ["namespace0.0"]
[[item]]
mode = "fsdax"
count = 2
size = "24G"
name = "db"
[[item]]
mode = "devdax"
amount = "30%"
map = "mem"
align = "1G"
on = "region0"
[[item]]
mode = "system-ram"
amount = "rest"
movable = false
"""
LINE = "replace namespace0.0, 2 x fsdax 24G name=db, devdax 30% map=mem align=1G on region0, system-ram rest no-movable"


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "intent.toml"
    file.write_text(TOML)
    assert load_intent(str(file)) == parse_intent(LINE)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("item = 3", "intent"),
        ("x = 3", "intent"),
        ("[[item]]\nmode = 'fsdax'", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\nsize = '1G'\namount = 'rest'", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\nsize = true", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\nsize = '1G'\n[[item]]\nmode = 'x'\nsize = '1G'", "intent: item 2"),
        ("[[item]]\nmode = 'fsdax'\namount = '0%'", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\namount = '1/0%'", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\nsize = '1G'\non = 'x'", "intent: item 1: on"),
        ("replace = 'x'", "intent: replace"),
        ("replace = 3", "intent"),
        ("keep = 1", "intent"),
        ("[item]\nmode = 'fsdax'", "intent"),
        ("[[item]]\nmode = 3\nsize = '1G'", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\nsize = 1.5", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\nsize = -1", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\nsize = '1G'\ncount = 2.5", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\nsize = '1G'\ncount = 0", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\nsize = '1G'\nalign = []", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\nsize = '1G'\nsizes = 2", "intent: item 1"),
        ("[[item]]\nmode = 'fsdax'\nsize = '1G'\nname = ['a']", "intent: item 1"),
        ("=", "intent"),
    ],
)
def test_a_wrong_file_is_located(text: str, where: str) -> None:
    with pytest.raises(InputError) as caught:
        read_intent(text)
    assert caught.value.where == where


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError):
        load_intent(str(tmp_path / "none.toml"))
