"""``python -m sparsemem``."""

from sparsemem.cli import main

main()
