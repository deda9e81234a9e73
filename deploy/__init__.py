"""What a machine needs to run aMGS: set-up, servers, container image, proxy."""
