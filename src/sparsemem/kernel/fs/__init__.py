"""File systems as far as they hold a block device: the superblock on the medium, mounting with and without dax, and what is said."""
