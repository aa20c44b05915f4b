"""The commands of `python -m audiopg`, one a module: its flags, and what it does with them.

Each does what a call of the library does, with the same settings, and says so with ``--help``.
"""
