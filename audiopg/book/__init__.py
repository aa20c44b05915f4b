"""What only the chapters and the built book need.

Figures, widgets, the laboratory's graphs, and the experiments behind the tables. The rest of the
library imports nothing of it, but for the commands that draw or reproduce.
"""
