"""Where a farm's answers come from: its own database."""
