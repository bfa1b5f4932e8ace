"""How does a bundle come from its publishers, and is it still what came?"""
