"""Prints what the Synapse of an image serves."""
