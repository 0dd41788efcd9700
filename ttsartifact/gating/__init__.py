"""The gate: a policy, what it measures of a run, and what it decides (clause 6.8)."""
