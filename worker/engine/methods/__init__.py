"""Methods of style transfer; each yields Progress."""
