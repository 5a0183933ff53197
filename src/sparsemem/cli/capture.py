"""``sparsemem capture``."""

from __future__ import annotations

import datetime

import click

from sparsemem.cli.machine import echo_json

__all__ = ["command"]


@click.command("capture")
@click.argument("out", metavar="[OUT.tar.xz]", default="machine.tar.xz")
@click.option("--sysroot", default="/", metavar="DIR", show_default=True, help="The machine to capture.")
@click.option("--redact", is_flag=True, help="Leave out what identifies the machine: host name, uuids, serial numbers.")
@click.option("--force", is_flag=True, help="Replace OUT when it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(out: str, sysroot: str, redact: bool, force: bool, as_json: bool) -> int:
    """Save a machine as a tarball that every verb can read: the files that describe its memory, nothing else.

    \b
    sudo sparsemem capture                           this one: machine.tar.xz
    sudo sparsemem capture bug.tar.xz --redact       for a report to others
    sparsemem doctor machine.tar.xz                  what was captured, anywhere

    Works without root, but then the kernel hides addresses: run it as root for a complete picture. The file appears whole or
    not at all.
    """
    from sparsemem.capture import capture_machine

    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    capture = capture_machine(sysroot, out, date=now, redact=redact, overwrite=force)
    if as_json:
        notes = [{"source": note.source, "where": note.where, "what": note.what} for note in capture.notes]
        echo_json({"path": capture.path, "files": capture.files, "bytes": capture.size, "notes": notes})
        return 0
    click.echo(f"{capture.path}: {capture.files} files, {capture.size} bytes")
    for note in capture.notes:
        click.echo(f"  note: {note.source}: {note.where + ': ' if note.where else ''}{note.what}")
    return 0
