"""From a spec to the engine's arguments: inputs, networks, scales, caches and estimates."""
