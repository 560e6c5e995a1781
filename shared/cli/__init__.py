"""What the commands of both sides have in common: groups, options, tables and lists, and how they are printed."""
