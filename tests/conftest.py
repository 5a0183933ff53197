"""Shared settings: ``make deep`` runs the property tests with the profile "deep"."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("deep", max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("default", deadline=None)
settings.load_profile("default")
