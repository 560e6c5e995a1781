"""Feature networks behind one Protocol, their convolutions, strips for large images, and weight formats."""
