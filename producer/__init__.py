"""The side that asks for pictures and looks at them: the Python API, sweeps, reports and the command line."""
