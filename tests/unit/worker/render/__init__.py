"""What is rendered of a spec."""
