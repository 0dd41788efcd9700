"""Training: stages that can be stopped and resumed, seeded, with their curves and their report."""
