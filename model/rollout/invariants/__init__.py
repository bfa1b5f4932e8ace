"""What must hold of every rendered object of every component; each rule says in sentences what does not."""
