"""Linux memory hotplug at sub-section granularity, executable."""
