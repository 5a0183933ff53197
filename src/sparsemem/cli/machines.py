"""``sparsemem machines``."""

from __future__ import annotations

import textwrap

import click

from sparsemem.cli.machine import echo_json, width

__all__ = ["command"]


@click.command("machines")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> int:
    """List the bundled machines: give one to any verb as example:NAME.

    \b
    sparsemem machines
    sparsemem doctor example:pmem-two-regions --kernel 6.1
    """
    from sparsemem import fixtures

    known = [
        {"name": name, "path": fixtures.path(name), "summary": fixtures.summary(name)} for name in fixtures.names()
    ]
    if as_json:
        echo_json(known)
        return 0
    for entry in known:
        click.echo(f"example:{entry['name']}")
        for line in textwrap.wrap(entry["summary"], width() - 4):
            click.echo(f"    {line}")
    return 0
