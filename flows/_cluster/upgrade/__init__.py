"""How does a cluster get to another version, node by node?"""
