"""Asks the Synapse of an image about configurations."""
