"""How a cluster gets to another version, node by node."""
