"""Search for moments: stretches of tracks."""
