"""``drivers/cxl``: one host bridge with memory devices below it, as the lab's guests have; decoders, and persistent regions."""
