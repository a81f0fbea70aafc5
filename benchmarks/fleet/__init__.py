"""`fleet`: faults while the fleet of `deviceflow fleet` polls a server of this machine."""
