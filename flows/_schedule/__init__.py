"""How compliance runs by itself, under an identity that can only look."""
