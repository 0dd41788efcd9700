"""Holds any verifier, in any language, to the conformance kit."""
