"""One protocol, one module a source; null is a reading that did not arrive, never 0."""
