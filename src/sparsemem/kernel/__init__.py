"""The model of the kernel: one file per kernel file, functions under their kernel names. Pure: no I/O, no clock, no global state."""
