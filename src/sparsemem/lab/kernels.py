"""Kernel images for the lab: Debian's cloud kernels, newest of each series, and kernels of one's own."""

from __future__ import annotations

import json
import lzma
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparsemem.errors import UnreadableError, UsageError
from sparsemem.lab.apt import Apt, Candidate, newest
from sparsemem.lab.cache import cache_dir, free_space, in_place, locked
from sparsemem.lab.errors import GoneError, LabError
from sparsemem.lab.userland import unpack

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SERIES", "KernelImage", "add", "available", "fetch", "find", "installed", "remove"]

SERIES = ("5.10", "6.1", "6.12", "newest")
"""What ``kernels fetch`` knows by name: the kernels of bullseye, bookworm and trixie, and the newest that Debian has."""

_CLOUD = r"linux-image-\d+\.\d+\.\d+(\+deb\d+(\.\d+)?)?(-0\.deb\d+\.\d+|-\d+)?-cloud-amd64"
"""With three numbers: linux-image-6.12-cloud-amd64 only depends on the newest."""
_MODULES = (
    "drivers/firmware/qemu_fw_cfg", "drivers/nvdimm", "drivers/acpi/nfit", "drivers/dax", "drivers/cxl", "drivers/virtio",
    "fs/xfs", "fs/ext4", "fs/jbd2", "fs/mbcache", "lib", "crypto", "arch/x86/crypto",
)  # fmt: skip
_NEEDED = ("libnvdimm", "nd_pmem", "nfit", "device_dax", "kmem")


@dataclass(frozen=True, slots=True)
class KernelImage:
    """A kernel in the cache. ``name`` is how it is asked for, ``version`` Linux's ("6.1.192"), ``release`` what uname says."""

    name: str
    version: str
    release: str
    package: str
    root: Path

    @property
    def vmlinuz(self) -> Path:
        return self.root / "vmlinuz"

    @property
    def modules(self) -> Path | None:
        found = self.root / "modules"
        return found if found.exists() else None

    @property
    def vmlinux(self) -> Path | None:
        """With debug information; None where it was not fetched."""
        found = self.root / "vmlinux"
        return found if found.exists() else None


def _kernels() -> Path:
    return cache_dir() / "kernels"


def _root(name: str) -> Path:
    """Where the kernel of that name is, or would be. Raises UsageError for what cannot be a name."""
    if not re.fullmatch(r"[\w+~-][\w.+~-]*", name):
        raise UsageError(f"not a name for a kernel: {name!r}")
    return _kernels() / name


def _load(root: Path) -> KernelImage | None:
    try:
        told = json.loads((root / "kernel.json").read_text())
        return KernelImage(root.name, told["version"], told["release"], told["package"], root)
    except (OSError, ValueError, KeyError):
        return None


def installed() -> list[KernelImage]:
    """The kernels in the cache, oldest series first."""
    found = [image for root in _kernels().glob("[!.]*") if (image := _load(root)) is not None]
    return sorted(found, key=lambda image: [int(part) for part in re.findall(r"\d+", image.version)])


def _series(apt: Apt) -> dict[str, list[Candidate]]:
    """Series -> every cloud kernel of it that the index has."""
    series: dict[str, list[Candidate]] = {}
    for candidate in apt.search(_CLOUD):
        match = re.match(r"(\d+\.\d+)", candidate.version)
        if match is not None and "~rc" not in candidate.version:
            series.setdefault(match[1], []).append(candidate)
    return series


def available(apt: Apt) -> dict[str, Candidate]:
    """Series -> the newest cloud kernel of it that the index has."""
    return {name: best for name, found in _series(apt).items() if (best := newest(found)) is not None}


def _wanted(apt: Apt, name: str) -> tuple[str, Candidate]:
    found = available(apt)
    ordered = sorted(found, key=lambda series: [int(part) for part in series.split(".")])
    series = ordered[-1] if name == "newest" and ordered else name
    if series not in found:
        raise UsageError(
            f"Debian has no cloud kernel {name} now",
            remedy="one of " + ", ".join((*ordered, "newest")) if ordered else None,
        )
    return series, found[series]


def fetch(
    name: str, *, debuginfo: bool = False, renew: bool = False, say: Callable[[str], None] | None = None
) -> KernelImage:
    """Bring the newest kernel of a series into the cache. One that is there already stays, unless ``renew`` and there is a newer one.

    ``debuginfo``: its symbols, too. Where the mirror does not have them, the newest kernel of the series that has both is fetched
    beside it, under its whole version, and that is the answer. Raises LabError, UsageError.
    """
    say = say or (lambda text: None)
    with locked("kernels", say):
        image = _load(_root(name))
        apt = Apt(say)
        if image is None or renew:
            apt.update(force=renew)
            series, candidate = _wanted(apt, name)
            image = _load(_kernels() / series)
            if image is None or (renew and image.package != f"{candidate.package} {candidate.version}"):
                image = _unpacked(apt, series, candidate, say)
        if debuginfo and image.vmlinux is None:
            if image.package.startswith("added"):
                raise UsageError(
                    f"{image.name} is a kernel of your own, whose symbols are in no package",
                    remedy="sparsemem kernels add IMAGE --debuginfo VMLINUX",
                )
            apt.update()
            image = _with_symbols(apt, image, say)
    return image


def _with_symbols(apt: Apt, image: KernelImage, say: Callable[[str], None]) -> KernelImage:
    """The kernel with its symbols or, loudly, the newest of its series that has both. Raises LabError where none has."""
    try:
        _debuginfo(apt, image, say)
    except GoneError:
        say(f"THE MIRROR HAS NO DEBUG SYMBOLS of {image.package}; looking for the newest of its series with both")
    else:
        return image
    series = re.match(r"\d+\.\d+", image.version)
    left = _series(apt).get(series[0] if series else "", [])
    left = [each for each in left if f"{each.package} {each.version}" != image.package]
    while (best := newest(left)) is not None:
        left.remove(best)
        name = best.version.partition("-")[0]
        other = _load(_root(name))
        try:
            if other is None or (other.vmlinux is None and other.package != f"{best.package} {best.version}"):
                symbols(apt, best)
                other = _unpacked(apt, name, best, say)
            if other.vmlinux is None:
                _debuginfo(apt, other, say)
        except GoneError:
            continue
        say(f"{image.name} stays {image.version}, without symbols; the newest with symbols is {name}, beside it")
        return other
    raise LabError(
        f"the mirror has no debug symbols of any kernel {series[0] if series else image.name} now",
        remedy=f"none are needed: verify --kernel {image.name} reads its sections by its own BTF",
    )


def find(name: str, *, say: Callable[[str], None] | None = None) -> KernelImage:
    """A kernel by the name of ``installed()``, or fetched by series; without symbols that are not there already.

    Raises LabError, UsageError.
    """
    return _load(_root(name)) or fetch(name, say=say)


def _unpacked(apt: Apt, series: str, candidate: Candidate, say: Callable[[str], None]) -> KernelImage:
    free_space(cache_dir(), 600 << 20, f"kernel {series}")
    debs = [apt.download(candidate)]
    release = candidate.package.removeprefix("linux-image-")
    for part in ("binary", "modules"):  # from 7.x on the image package only names these
        for split in apt.search(re.escape(f"linux-{part}-{release}")):
            if split.version == candidate.version:
                debs.append(apt.download(split))
    root = _kernels() / series
    say(f"unpacking {candidate.package} {candidate.version}")
    with locked(f"kernel-{series}", say), in_place(root) as work:
        raw = work / "raw"
        for deb in debs:
            unpack(deb, raw)
        version = candidate.version.split("-")[0]
        _arrange(raw, work)
        shutil.rmtree(raw)
        told = {"version": version, "release": release, "package": f"{candidate.package} {candidate.version}"}
        (work / "kernel.json").write_text(json.dumps(told, indent=2) + "\n")
    image = _load(root)
    assert image is not None
    return image


def _arrange(raw: Path, into: Path) -> None:
    images = [*raw.glob("boot/vmlinuz-*"), *raw.glob("usr/lib/modules/*/vmlinuz"), *raw.glob("lib/modules/*/vmlinuz")]
    trees = [*raw.glob("usr/lib/modules/*/kernel"), *raw.glob("lib/modules/*/kernel")]
    if not images or not trees:
        raise LabError("the kernel package has no image or no modules where they are looked for")
    shutil.copyfile(images[0], into / "vmlinuz")
    _copy_modules(trees[0].parent, into)
    names = {path.name.partition(".")[0].replace("-", "_") for path in (into / "modules").rglob("*.ko")}
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise LabError(f"this kernel has no module {', '.join(missing)}", remedy="take another one")


def _copy_modules(tree: Path, into: Path) -> None:
    """The modules that a guest can use, out of a ``lib/modules/RELEASE``; packed ones are unpacked."""
    for part in _MODULES:
        for path in [*(tree / "kernel").glob(f"{part}*.ko*"), *(tree / "kernel").glob(f"{part}/**/*.ko*")]:
            target = into / "modules" / tree.name / path.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".xz":
                target.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))
            else:
                shutil.copyfile(path, target)
    for name in ("modules.builtin", "modules.order", "modules.builtin.modinfo"):
        if (tree / name).exists():
            shutil.copyfile(tree / name, into / "modules" / tree.name / name)


def symbols(apt: Apt, candidate: Candidate) -> Path:
    """The package with the symbols of a kernel package, fetched. Raises GoneError where the index or the mirror has none."""
    package, version = candidate
    found = [each for each in apt.search(re.escape(f"{package}-dbg")) if each.version == version]
    if not found:
        raise GoneError(f"no debug symbols for {package} {version} in the index")
    free_space(cache_dir(), 2 << 30, f"debug symbols of {version}")
    return apt.download(found[0])


def _debuginfo(apt: Apt, image: KernelImage, say: Callable[[str], None]) -> None:
    package, _, version = image.package.partition(" ")
    deb = symbols(apt, Candidate(package, version))
    say(f"unpacking vmlinux of {image.release}")
    with in_place(image.root / "debug") as work:
        unpack(deb, work, "*/vmlinux-*", "*/vmlinux")
        files = [path for path in work.rglob("vmlinux*") if path.is_file() and not path.is_symlink()]
        if not files:
            deb.unlink(missing_ok=True)
            raise GoneError(f"no vmlinux in {deb.name}")
        files[0].rename(image.root / "vmlinux")
    shutil.rmtree(image.root / "debug", ignore_errors=True)
    deb.unlink(missing_ok=True)


def add(image: str, debuginfo: str | None = None, name: str | None = None, modules: str | None = None) -> KernelImage:
    """A kernel of one's own: a bzImage, its vmlinux, its modules directory (``lib/modules/RELEASE``); built-in drivers need none."""
    banner = _banner(Path(image))
    release = banner.partition(" ")[0]
    name = name or release
    match = re.search(r"Debian (\d+\.\d+\.\d+)", banner) or re.match(r"(\d+\.\d+(\.\d+)?(-rc\d+)?)", release)
    if match is None:
        raise UsageError(f"a kernel whose release {release!r} tells no version", where=image)
    with locked("kernels"), locked(f"kernel-{name}"), in_place(_root(name)) as work:
        shutil.copyfile(image, work / "vmlinuz")
        if debuginfo is not None:
            _check_elf(Path(debuginfo))
            os.symlink(os.path.abspath(debuginfo), work / "vmlinux")
        if modules is not None:
            tree = Path(modules)
            if tree.name != release or not (tree / "kernel").is_dir():
                raise UsageError(
                    f"not the modules of {release}", where=modules, remedy=f"give .../lib/modules/{release}"
                )
            (work / "modules" / release).mkdir(parents=True)
            _copy_modules(tree, work)
        told = {"version": match[1], "release": release, "package": f"added from {os.path.abspath(image)}"}
        (work / "kernel.json").write_text(json.dumps(told, indent=2) + "\n")
    found = _load(_root(name))
    assert found is not None
    return found


def _check_elf(path: Path) -> None:
    try:
        with path.open("rb") as file:
            if file.read(4) != b"\x7fELF":
                raise UsageError(
                    "not a vmlinux (ELF)", where=str(path), remedy="give the uncompressed vmlinux of that build"
                )
    except OSError as error:
        raise UnreadableError(f"cannot read it: {error.strerror}", where=str(path)) from None


def _banner(path: Path) -> str:
    """Release and build in the boot header of a bzImage (the setup header's ``kernel_version`` pointer)."""
    try:
        with path.open("rb") as file:
            head = file.read(0x8000)
    except OSError as error:
        raise UnreadableError(f"cannot read it: {error.strerror}", where=str(path)) from None
    if head[0x202:0x206] != b"HdrS":
        raise UsageError("not an x86 kernel image (bzImage)", where=str(path), remedy="give arch/x86/boot/bzImage")
    at = int.from_bytes(head[0x20E:0x210], "little") + 0x200
    return head[at : at + 256].partition(b"\0")[0].decode("ascii", "replace")


def remove(name: str, say: Callable[[str], None] | None = None) -> None:
    """Take a kernel out of the cache. Raises UsageError when it is not there."""
    root = _root(name)
    if _load(root) is None:
        raise UsageError(f"no kernel {name} in the cache", remedy="sparsemem kernels list")
    with locked("kernels", say), locked(f"kernel-{name}", say):
        shutil.rmtree(root)
