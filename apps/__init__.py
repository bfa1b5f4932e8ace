"""The deployment's own small programs; they import nothing of the toolkit."""
