"""What ufw should hold on a host, what it holds, and the way from one to the other."""
