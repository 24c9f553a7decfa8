"""Work that requests share: the index, the network, files of tracks, kept uploads."""
