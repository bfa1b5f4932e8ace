"""How hosts leave the cluster."""
