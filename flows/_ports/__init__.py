"""How is the port matrix proven: who is asked, what is fired, what was seen, and what it comes to?"""
