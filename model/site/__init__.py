"""What the site's owner declared."""
