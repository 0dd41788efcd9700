"""Two runs side by side: which condition changed, then which sample."""
