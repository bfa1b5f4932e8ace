"""What an organisation keeps inside: a signed repository of Debian packages, and a registry of images."""
