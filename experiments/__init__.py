"""The launchers: `python -m experiments.search --help`."""
