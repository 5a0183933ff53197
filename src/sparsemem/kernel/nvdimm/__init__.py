"""``drivers/nvdimm``: one file per kernel file."""
