"""What every test shares."""

from hypothesis import HealthCheck, settings

# the machines are shared and noisy: how long an example takes is no reason to fail
settings.register_profile(
    "shared", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("shared")
