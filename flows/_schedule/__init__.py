"""How does compliance run by itself, under an identity that can only look?"""
