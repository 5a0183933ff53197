"""``drivers/dax``: one file per kernel file."""
