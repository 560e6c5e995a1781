"""The engine, under each preset, against the program that the preset is named for, written out naively."""
