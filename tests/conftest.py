"""Shared settings: the tests draw the same examples each time; ``make deep`` runs the property tests with the profile "deep", which draws
others."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("deep", max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")
