"""Fetch and import pretrained weights."""
