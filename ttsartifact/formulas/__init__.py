"""What follows from values alone: stalls, levels, adaptation chains, draws, the timebase. No files, no clocks."""
