"""Which kernel of a series is fetched, and what where the mirror has no symbols of it: with an apt that is a table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sparsemem.errors import UsageError
from sparsemem.lab import kernels
from sparsemem.lab.apt import Candidate
from sparsemem.lab.errors import GoneError, LabError

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = [
    ("linux-image-5.10.0-30-cloud-amd64", "5.10.218-1"),
    ("linux-image-5.10.0-43-cloud-amd64", "5.10.251-5"),
    ("linux-image-5.10.0-46-cloud-amd64", "5.10.262-1"),
    ("linux-image-6.12-cloud-amd64", "6.12.117-1~deb12u1"),
    ("linux-image-6.12.117+deb12-cloud-amd64", "6.12.117-1~deb12u1"),
    ("linux-image-7.1.13+deb13-cloud-amd64", "7.1.13-1~bpo13+1"),
    ("linux-image-7.2~rc3-cloud-amd64", "7.2~rc3-1"),
]


class Table:
    """``index``: what the index names; ``mirror``: the packages that can really be had."""

    index: list[Candidate]
    mirror: set[str]

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        pass

    def update(self, *, force: bool = False) -> None:
        pass

    def search(self, pattern: str) -> list[Candidate]:
        return [each for each in self.index if re.fullmatch(pattern, each.package)]

    def download(self, candidate: Candidate) -> Path:
        if f"{candidate.package} {candidate.version}" not in self.mirror:
            raise GoneError(f"fetching {candidate.package} failed")
        return Path(f"/debs/{candidate.package}")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Table]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if kernels.shutil.which("dpkg") is None:
        pytest.skip("no dpkg here: it compares the versions")

    def unpack(deb: Path, into: Path, *only: str) -> None:
        into.mkdir(parents=True, exist_ok=True)
        release = deb.name.removeprefix("linux-image-")
        if only:
            (into / "vmlinux-x").write_text(release)
            return
        for name in ("libnvdimm", "nd_pmem", "nfit", "device_dax", "kmem"):
            module = into / "lib/modules" / release / "kernel/drivers/nvdimm" / f"{name}.ko"
            module.parent.mkdir(parents=True, exist_ok=True)
            module.write_text("")
        (into / "boot").mkdir()
        (into / f"boot/vmlinuz-{release}").write_text("")

    Table.index = [Candidate(*each) for each in IMAGES]
    Table.mirror = {f"{package} {version}" for package, version in IMAGES}
    monkeypatch.setattr(kernels, "Apt", Table)
    monkeypatch.setattr(kernels, "unpack", unpack)
    monkeypatch.setattr(kernels, "free_space", lambda *told: None)
    return Table


def with_symbols(table: type[Table], *versions: str, on_the_mirror: bool = True) -> None:
    for package, version in IMAGES:
        if version in versions:
            table.index.append(Candidate(f"{package}-dbg", version))
            if on_the_mirror:
                table.mirror.add(f"{package}-dbg {version}")


def test_the_newest_of_a_series_is_a_kernel_and_no_package_that_only_depends_on_one(table: type[Table]) -> None:
    assert kernels.fetch("6.12").package == "linux-image-6.12.117+deb12-cloud-amd64 6.12.117-1~deb12u1"
    assert kernels.fetch("5.10").version == "5.10.262"
    assert kernels.fetch("newest").version == "7.1.13"
    with pytest.raises(UsageError, match="no cloud kernel"):
        kernels.fetch("4.19")
    assert [each.name for each in kernels.installed()] == ["5.10", "6.12", "7.1"]


def test_symbols_come_with_the_newest_where_the_mirror_has_them(table: type[Table]) -> None:
    with_symbols(table, "5.10.262-1", "5.10.251-5")
    image = kernels.fetch("5.10", debuginfo=True)
    assert (image.name, image.version) == ("5.10", "5.10.262")
    assert image.vmlinux is not None
    assert [each.name for each in kernels.installed()] == ["5.10"]


def test_symbols_that_the_index_names_and_the_mirror_has_not(table: type[Table]) -> None:
    with_symbols(table, "5.10.262-1", on_the_mirror=False)
    with_symbols(table, "5.10.251-5", "5.10.218-1")
    said: list[str] = []
    image = kernels.fetch("5.10", debuginfo=True, say=said.append)
    assert (image.name, image.package) == ("5.10.251", "linux-image-5.10.0-43-cloud-amd64 5.10.251-5")
    assert image.vmlinux is not None
    assert any("NO DEBUG SYMBOLS" in each and "5.10.262-1" in each for each in said)
    assert any("5.10.251, beside it" in each for each in said)
    newest = kernels.find("5.10")
    assert (newest.version, newest.vmlinux) == ("5.10.262", None)
    table.mirror.clear()
    assert kernels.fetch("5.10", debuginfo=True).name == "5.10.251"  # it is there: nothing is fetched


def test_a_kernel_that_the_mirror_has_not_either_is_stepped_over(table: type[Table]) -> None:
    with_symbols(table, "5.10.251-5", "5.10.218-1")
    table.mirror.remove("linux-image-5.10.0-43-cloud-amd64 5.10.251-5")
    assert kernels.fetch("5.10", debuginfo=True).version == "5.10.218"


def test_a_series_without_any_symbols_is_one_error_and_the_kernel_is_there(table: type[Table]) -> None:
    with pytest.raises(LabError, match=r"no debug symbols of any kernel 7\.1") as none:
        kernels.fetch("7.1", debuginfo=True)
    assert "BTF" in str(none.value.remedy)
    assert kernels.find("7.1").version == "7.1.13"
