"""What a run sounds like and how long it took, as numbers on a grid, with the instrument of each."""
