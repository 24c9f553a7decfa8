"""Keeping an index whole, portable, and true to the files it speaks of."""
