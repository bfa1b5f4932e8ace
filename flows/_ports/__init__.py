"""The proof of the port matrix: who is asked, what is fired, what was seen, and what it comes to."""
