"""Adapting: a few clips of a voice and the checkpoint's prior samples become a small file that speaks in that voice."""
