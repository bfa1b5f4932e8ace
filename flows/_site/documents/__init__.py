"""What do the generated documents say?"""
