"""How a bundle comes from its publishers, and whether it is still what came."""
