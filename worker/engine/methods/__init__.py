"""Methods of style transfer behind one Protocol; each yields Progress."""
