"""The lab's offline bundle, built from Go modules and Debian packages."""
