"""The language of the farm: parameters, presets, feature networks, terms, and the hash of a spec."""
