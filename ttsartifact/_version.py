"""The one place that states the version; the build, the door and every document read it here."""

__version__ = "0.1.0"
