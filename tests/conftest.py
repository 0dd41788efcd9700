"""What holds for every test: hypothesis asks whether a property holds, not how fast this machine draws examples."""

from hypothesis import HealthCheck, settings

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
