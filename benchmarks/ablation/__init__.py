"""The ablation behind the preset `auto`: variants of its values, rendered over pairs of pictures and measured."""
