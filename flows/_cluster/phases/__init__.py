"""
The phases of bootstrap: each looks, plans, changes what is left to change, and says a host at a time what came of it.
"""
