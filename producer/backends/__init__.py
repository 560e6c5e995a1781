"""Where a farm's answers come from: its own database, or its HTTP API (`remote`)."""
