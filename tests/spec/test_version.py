"""Versions: what people and ``uname -r`` write. The uname strings are quoted from machines and package names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsemem.errors import UsageError
from sparsemem.spec import KNOWN_SERIES, LTS_SERIES, KernelVersion, kernel
from sparsemem.spec.version import RECORDED

# text -> what it names, and a word of its caveat ("" for none)
UNAMES = [
    ("6.1", "6.1", ""),
    ("6.1.0", "6.1.0", ""),
    ("6.1.y", "6.1.y", ""),
    ("v5.1-rc1", "5.1-rc1", ""),
    ("5.6-rc7", "5.6-rc7", ""),
    ("5.3", "5.3", ""),
    ("5.3.0", "5.3", ""),
    ("6.8.y", "6.8.y", ""),
    ("6.1.0-49-cloud-amd64", "6.1.y", "ABI name"),
    ("6.12.100+deb13-cloud-amd64", "6.12.100", ""),
    ("6.18.5+deb14-amd64", "6.18.5", ""),
    ("4.18.18-200.fc28.x86_64", "4.18.18", "older"),
    ("6.9.5-200.fc40.x86_64", "6.9.5", ""),
    ("5.15.0-91-generic", "5.15", "ABI name"),
    ("5.15.0-1053-aws", "5.15", "ABI name"),
    ("6.8.0-31-generic", "6.8.y", "ABI name"),
    ("4.18.0-553.el8_10.x86_64", "4.18", "a RHEL kernel carries backports, so I cannot tell from its version"),
    ("5.14.0-427.el9", "5.14", "a RHEL kernel"),
    ("5.14.0-427.13.1.el9_4.x86_64", "5.14", "a RHEL kernel"),
    ("5.15.0-208.159.3.el9uek.x86_64", "5.15.0", "an Oracle UEK kernel"),
    ("5.14.21-150500.55.52-default", "5.14.21", "a SUSE kernel"),
    ("6.4.0-150600.23.53-default", "6.4", "a SUSE kernel"),
    ("6.9.1-arch1-1", "6.9.1", ""),
    ("6.8.12-4-pve", "6.8.12", ""),
    ("5.15.153.1-microsoft-standard-WSL2", "5.15.153", ""),
    ("5.10.227-219.884.amzn2.x86_64", "5.10.227", ""),
    ("6.7.0-rc3-00123-gabcdef012345", "6.7-rc3", ""),
    ("4.4", "4.4", "older"),
    ("7.9", "7.9", "newer"),
    (
        "Linux version 6.1.0-49-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU) "
        "#1 SMP PREEMPT_DYNAMIC Debian 6.1.170-1 (2026-04-01)",
        "6.1.170",
        "",
    ),
    ("Linux version 6.9.1-arch1-1 (linux@archlinux) (gcc (GCC) 14.1.1) #1 SMP\n", "6.9.1", ""),
]


@pytest.mark.parametrize(("text", "named", "caveat"), UNAMES, ids=[text[:30] for text, _, _ in UNAMES])
def test_reads_what_machines_say(text: str, named: str, caveat: str) -> None:
    version = KernelVersion.parse(text)
    assert str(version) == named
    if caveat:
        assert version.caveat is not None
        assert caveat in version.caveat
    else:
        assert version.caveat is None
    assert kernel(text).caveat == version.caveat


ORDER = (
    "4.0", "4.4.0", "4.4", "4.19.0", "4.19.304", "4.19", "4.20", "5.1-rc1", "5.1-rc6", "5.1", "5.1.15", "5.2",
    "5.3-rc1", "5.3", "5.3.12", "5.4.0", "5.4.18", "5.4", "5.5", "5.6-rc7", "5.6", "5.10.0", "5.10.9",
    "5.10.210", "5.10", "5.15", "5.19", "6.0", "6.1.0", "6.1", "6.2", "6.12", "6.19", "7.0", "7.2-rc1", "7.2",
    "7.2.13", "7.3", "9.1",
)  # fmt: skip


def test_order_is_the_order_of_release_within_a_series_and_of_series() -> None:
    versions = [KernelVersion.parse(text) for text in ORDER]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(versions)


def test_equal_versions_of_different_texts_keep_their_own_caveat() -> None:
    plain, abi = KernelVersion.parse("6.1.y"), KernelVersion.parse("6.1.0-49-cloud-amd64")
    assert plain == abi
    assert hash(plain) == hash(abi)
    assert kernel("6.1.y").caveat is None
    assert kernel("6.1.0-49-cloud-amd64").caveat is not None


@pytest.mark.parametrize("series", LTS_SERIES)
def test_a_bare_long_term_series_is_its_newest_release(series: tuple[int, int]) -> None:
    name = f"{series[0]}.{series[1]}"
    if series in RECORDED:
        assert KernelVersion.parse(name) == KernelVersion.parse(f"{name}.{RECORDED[series]}")
        assert str(KernelVersion.parse(name)) == name
        name += ".y"
    assert KernelVersion.parse(name).newest_stable
    assert KernelVersion.parse(name) > KernelVersion.parse(f"{series[0]}.{series[1]}.999")
    assert not KernelVersion.parse(f"{series[0]}.{series[1]}.0").newest_stable


@pytest.mark.parametrize(
    "text",
    [
        *("3.10", "2.6.32", "4.21", "5.20", "6.20", "6", "6.", "6.x", "six", "6.1.2.y", "-6.1", "6.1-rc0", "6.1.3-rc1"),
        *("6.1rc1", "6.1\x00", "1e3", "\u0666.\u0661", "6.1|ls", "''", "", " ", "6.1 or 6.2", "Linux version "),
        *("6.1." + "9" * 50, "9" * 5000 + ".1"),
    ],
)
def test_bad_text_is_one_clear_error(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        KernelVersion.parse(text)
    assert caught.value.remedy
    assert len(str(caught.value)) < 500


@given(st.text(max_size=40))
def test_any_text_is_a_version_or_a_usage_error(text: str) -> None:
    try:
        version = KernelVersion.parse(text)
    except UsageError:
        return
    assert KernelVersion.parse(str(version)) == version


@given(
    st.sampled_from(KNOWN_SERIES),
    st.one_of(st.none(), st.integers(0, 400)),
    st.one_of(st.none(), st.integers(1, 9)),
    st.sampled_from(["", "+deb13-amd64", "-1-pve", "-200.fc40.x86_64", "-arch1-1", "-microsoft-standard-WSL2"]),
)
def test_print_and_parse_are_inverse(series: tuple[int, int], patch: int | None, rc: int | None, rest: str) -> None:
    text = f"{series[0]}.{series[1]}" + ("" if patch is None or rc else f".{patch}") + (f"-rc{rc}" if rc else "") + rest
    version = KernelVersion.parse(text)
    assert version.series == series
    assert version.rc == rc
    assert KernelVersion.parse(str(version)) == version
