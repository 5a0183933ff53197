"""``sparsemem kernels``."""

from __future__ import annotations

import click

from sparsemem.cli.lab import stoppable
from sparsemem.cli.machine import echo_json

__all__ = ["command"]

_EPILOG = """\b
Examples:
  sparsemem kernels fetch 6.1              bookworm's cloud kernel, newest
  sparsemem kernels fetch 5.10 newest --debuginfo
  sparsemem kernels fetch 6.1 --renew      a newer one, if there is one
  sparsemem kernels add arch/x86/boot/bzImage --debuginfo vmlinux --name mine
"""


@click.group("kernels", epilog=_EPILOG)
def command() -> None:
    """Kernels for the lab: Debian's cloud kernels, and your own.

    They are kept in $XDG_CACHE_HOME/sparsemem; nothing is installed. The lab reads a kernel's section table by its debug symbols
    (300 MB to fetch, 0.6 GB unpacked) or, without them, by what the kernel says of itself (vmcoreinfo and BTF).
    """


@command.command("list")
@click.option("--available", "ask", is_flag=True, help="Also say what Debian has now (reads the package index).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(ask: bool, as_json: bool) -> int:
    """List the kernels in the cache."""
    from sparsemem.lab import kernels

    here = kernels.installed()
    there = {}
    if ask:
        from sparsemem.lab.apt import Apt

        with stoppable() as progress:
            apt = Apt(progress.show)
            apt.update()
            there = kernels.available(apt)
    if as_json:
        rows = [
            {
                "name": each.name,
                "version": each.version,
                "release": each.release,
                "package": each.package,
                "debuginfo": each.vmlinux is not None,
                "path": str(each.root),
            }
            for each in here
        ]
        echo_json({"kernels": rows, "available": {name: each.version for name, each in there.items()}})
        return 0
    for each in here:
        symbols = "with symbols" if each.vmlinux is not None else "no symbols"
        click.echo(f"{each.name:<12} {each.release:<34} {symbols}")
    for name, candidate in there.items():
        if name not in {each.name for each in here}:
            click.echo(f"{name:<12} {candidate.package.removeprefix('linux-image-'):<34} to be fetched")
    if not here and not there:
        click.echo("no kernel yet: sparsemem kernels fetch " + " | ".join(kernels.SERIES))
    return 0


@command.command()
@click.argument("series", nargs=-1, required=True, metavar="SERIES...")
@click.option(
    "--debuginfo", is_flag=True, help="Its debug symbols too; where the mirror has none, an older kernel that has both."
)
@click.option("--renew", is_flag=True, help="Read the index again and replace a kernel that is older.")
def fetch(series: tuple[str, ...], debuginfo: bool, renew: bool) -> int:
    """Bring kernels into the cache: 5.10, 6.1, 6.12, newest, or another series that Debian has now.

    Interrupted, it goes on where it was.
    """
    from sparsemem.lab import kernels
    from sparsemem.lab.initramfs import initramfs
    from sparsemem.lab.userland import userland

    with stoppable() as progress:
        for name in series:
            image = kernels.fetch(name, debuginfo=debuginfo, renew=renew, say=progress.say)
            initramfs(image, userland(progress.say), progress.say)
            click.echo(f"{image.name}: {image.package}{' with symbols' if image.vmlinux else ''}")
    return 0


@command.command()
@click.argument("image", metavar="IMAGE")
@click.option("--debuginfo", metavar="VMLINUX", help="The vmlinux of the same build, with debug information.")
@click.option("--modules", metavar="DIR", help="Its lib/modules/RELEASE, where drivers are modules.")
@click.option("--name", metavar="NAME", help="What to call it (default: its release).")
def add(image: str, debuginfo: str | None, modules: str | None, name: str | None) -> int:
    """Add a kernel of your own: a bzImage."""
    from sparsemem.lab import kernels

    added = kernels.add(image, debuginfo, name, modules)
    click.echo(f"{added.name}: {added.release}{' with symbols' if added.vmlinux else ''}")
    return 0


@command.command()
@click.argument("name", metavar="NAME")
def remove(name: str) -> int:
    """Take a kernel out of the cache."""
    from sparsemem.lab import kernels

    kernels.remove(name)
    return 0
