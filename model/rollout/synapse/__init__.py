"""Synapse as the site runs it: which process does what, which requests reach it, and what its configuration says."""
