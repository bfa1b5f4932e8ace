"""How do hosts leave the cluster?"""
