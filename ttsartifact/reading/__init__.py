"""One file becomes an Artifact, lazily and within limits."""
