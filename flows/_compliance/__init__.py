"""How is compliance looked at, judged, kept, shown, and mended?"""
