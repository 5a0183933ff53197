"""The board: descriptions, layouts, machines, operations, faults and the one-line notation."""
