"""``sparsemem explain``."""

from __future__ import annotations

import sys

import click

from sparsemem.cli.machine import echo_json, width

__all__ = ["command"]


@click.command("explain")
@click.argument("text", nargs=-1)
@click.option("--kernel", metavar="VERSION", help="Say what holds for this kernel.")
@click.option("--arch", default="x86_64", show_default=True, help="The architecture of that kernel.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(text: tuple[str, ...], kernel: str | None, arch: str, as_json: bool) -> int:
    """Explain a pasted dmesg line, a finding of the doctor, an errno or a topic.

    Without TEXT, or with "-", standard input is read: dmesg | tail | sparsemem explain

    \b
    sparsemem explain "Conflicting mapping in same section"
    sparsemem explain sub-section
    sparsemem explain EEXIST --kernel 5.2

    Exits 1 when nothing of the text is known.
    """
    from sparsemem.explain import explain

    words = " ".join(text)
    if not words or words == "-":
        words = sys.stdin.buffer.read(1 << 22).decode(errors="replace")
    chosen = None
    if kernel is not None:
        from sparsemem.spec import kernel as kernel_for

        chosen = kernel_for(kernel, arch)
    answer = explain(words, chosen)
    if as_json:
        echo_json(answer.to_json())
    else:
        click.echo(answer.text(width()))
    return 0 if answer.matched else 1
