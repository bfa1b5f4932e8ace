"""How are hosts spread over processes of this and other machines?"""
