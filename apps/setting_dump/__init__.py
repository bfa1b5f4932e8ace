"""Prints which settings a Synapse documents, of what its publisher says of them."""
